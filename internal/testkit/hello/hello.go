// Package hello makes testdata/hello-docker.tar, the small image archive that the
// README and the interoperability tests start from.
package hello

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Text is what the program of the image in Archive prints.
const Text = "hello from a layout\n"

// created is the one time in Archive.
var created = time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)

// Archive returns the bytes of testdata/hello-docker.tar: an archive in the
// shape that docker save wrote from Docker 1.10 to 24 (a directory of VERSION,
// json and layer.tar a layer, the config, manifest.json, repositories), holding
// one linux/amd64 image of two layers under the names hello:latest and
// hello:1.0. Its entrypoint is /bin/hello, a static program of less than 200
// bytes. Equal calls return equal bytes.
func Archive() []byte {
	layers := [][]byte{
		tarball(dir("bin"), file("bin/hello", 0o755, program())),
		tarball(dir("etc"), file("etc/motd", 0o644, []byte("two layers, one image\n")),
			link("etc/issue", "motd")),
	}
	var members []member
	var ids, diffIDs []string
	parent := ""
	for i, layer := range layers {
		diffIDs = append(diffIDs, "sha256:"+sha(layer))
		id := sha([]byte(parent + " " + diffIDs[i]))
		up := ""
		if parent != "" {
			up = fmt.Sprintf(`"parent":%q,`, parent)
		}
		members = append(members,
			dir(id),
			file(id+"/VERSION", 0o644, []byte("1.0")),
			file(id+"/json", 0o644, fmt.Appendf(nil,
				`{"id":%q,%s"created":"2023-11-14T22:13:20Z","os":"linux"}`, id, up)),
			file(id+"/layer.tar", 0o644, layer))
		ids = append(ids, id)
		parent = id
	}
	conf := config(diffIDs)
	members = append(members, file(sha(conf)+".json", 0o644, conf))
	sort.SliceStable(members, func(i, j int) bool { return members[i].name < members[j].name })
	members = append(members,
		file("manifest.json", 0o644, fmt.Appendf(nil,
			`[{"Config":"%s.json","RepoTags":["hello:1.0","hello:latest"],"Layers":["%s/layer.tar","%s/layer.tar"]}]`+"\n",
			sha(conf), ids[0], ids[1])),
		file("repositories", 0o644, fmt.Appendf(nil,
			`{"hello":{"1.0":%q,"latest":%q}}`+"\n", parent, parent)))
	return tarball(members...)
}

func config(diffIDs []string) []byte {
	return fmt.Appendf(nil, `{"architecture":"amd64","config":{"Entrypoint":["/bin/hello"],`+
		`"Env":["PATH=/bin"],"Labels":{"org.opencontainers.image.title":"hello"}},`+
		`"created":"2023-11-14T22:13:20Z","history":[`+
		`{"created":"2023-11-14T22:13:20Z","created_by":"COPY hello /bin/hello"},`+
		`{"created":"2023-11-14T22:13:20Z","created_by":"COPY motd /etc/motd"},`+
		`{"created":"2023-11-14T22:13:20Z","created_by":"ENTRYPOINT [\"/bin/hello\"]","empty_layer":true}],`+
		`"os":"linux","rootfs":{"type":"layers","diff_ids":["%s"]}}`, strings.Join(diffIDs, `","`))
}

// program assembles a static linux/amd64 program that writes Text to its
// standard output and exits with 0: an ELF header, one loadable segment, the
// instructions and the text.
func program() []byte {
	const base, headers = 0x400000, 64 + 56
	le := binary.LittleEndian
	code := []byte{
		0xb8, 1, 0, 0, 0, // mov eax, 1 (write)
		0xbf, 1, 0, 0, 0, // mov edi, 1 (standard output)
		0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea rsi, [rip+16]: the text
		0xba, byte(len(Text)), 0, 0, 0, // mov edx, its length
		0x0f, 0x05, // syscall
		0xb8, 60, 0, 0, 0, // mov eax, 60 (exit)
		0x31, 0xff, // xor edi, edi
		0x0f, 0x05, // syscall
	}
	code = append(code, Text...)
	size := uint64(headers + len(code))

	out := []byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	out = le.AppendUint16(out, 2)            // executable
	out = le.AppendUint16(out, 62)           // x86-64
	out = le.AppendUint32(out, 1)            // version
	out = le.AppendUint64(out, base+headers) // entry
	out = le.AppendUint64(out, 64)           // program headers start here
	out = le.AppendUint64(out, 0)            // no section headers
	out = le.AppendUint32(out, 0)            // flags
	for _, v := range []uint16{64, 56, 1, 64, 0, 0} {
		out = le.AppendUint16(out, v) // header sizes and counts
	}
	out = le.AppendUint32(out, 1) // load
	out = le.AppendUint32(out, 5) // read, execute
	for _, v := range []uint64{0, base, base, size, size, 0x1000} {
		out = le.AppendUint64(out, v) // offset, addresses, sizes, alignment
	}
	return append(out, code...)
}

// member is an entry of a small deterministic tar.
type member struct {
	name, target string
	mode         int64
	kind         byte
	body         []byte
}

func dir(name string) member {
	return member{name: name + "/", mode: 0o755, kind: tar.TypeDir}
}

func file(name string, mode int64, body []byte) member {
	return member{name: name, mode: mode, kind: tar.TypeReg, body: body}
}

func link(name, target string) member {
	return member{name: name, target: target, mode: 0o777, kind: tar.TypeSymlink}
}

func tarball(members ...member) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		err := w.WriteHeader(&tar.Header{
			Typeflag: m.kind, Name: m.name, Linkname: m.target, Mode: m.mode,
			Size: int64(len(m.body)), ModTime: created, Format: tar.FormatUSTAR,
		})
		if err == nil {
			_, err = w.Write(m.body)
		}
		if err != nil {
			panic(err) // a bytes.Buffer does not fail; a bad header is a bug here
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
