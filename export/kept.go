package export

// keptBlob is the largest blob that is kept from reading it to writing it, and
// maxKept how many bytes of such are.
const (
	keptBlob = 16 << 10
	maxKept  = 6 << 20
	keptPage = 256 << 10
)

// kept are the proven bytes of manifests and configs that were read already.
type kept struct {
	pages [][]byte
	used  int // of the last page
}

// add keeps a copy of data, if there is room, and says where: 0 if it does not.
func (k *kept) add(data []byte) uint32 {
	if len(data) == 0 || len(data) > keptBlob {
		return 0
	}
	if len(k.pages) == 0 || k.used+len(data) > keptPage {
		if len(k.pages) == maxKept/keptPage {
			return 0
		}
		k.pages = append(k.pages, make([]byte, keptPage))
		k.used = 0
	}
	at := (len(k.pages)-1)*keptPage + k.used
	k.used += copy(k.pages[len(k.pages)-1][k.used:], data)
	return uint32(at) + 1
}

// get is what add kept; nil if it did not.
func (k *kept) get(at uint32, size int64) []byte {
	if at == 0 {
		return nil
	}
	page, from := int(at-1)/keptPage, int64(at-1)%keptPage
	return k.pages[page][from : from+size : from+size]
}
