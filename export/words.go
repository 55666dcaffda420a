package export

import (
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A wordID stands for a text that is there many times, such as a media type. 0 is
// the empty one.
type wordID uint32

// words numbers texts.
type words struct {
	ids   map[string]wordID
	texts []string
}

func newWords() *words { return &words{map[string]wordID{"": 0}, []string{""}} }

// id is the number of a text, which gets one if it has none.
func (w *words) id(text string) wordID {
	id, ok := w.ids[text]
	if !ok {
		id = wordID(len(w.texts))
		text = strings.Clone(text) // it may be a part of something large
		w.ids[text] = id
		w.texts = append(w.texts, text)
	}
	return id
}

// idOf is id of a text that may change later.
func (w *words) idOf(text []byte) wordID {
	if id, ok := w.ids[string(text)]; ok {
		return id
	}
	return w.id(string(text))
}

func (w *words) text(id wordID) string { return w.texts[id] }

// A platformID stands for a platform. 0 is none.
type platformID uint32

// platforms numbers platforms.
type platforms struct {
	ids  map[string]platformID
	list []*content.Platform
	key  []byte
}

func newPlatforms() *platforms {
	return &platforms{ids: map[string]platformID{}, list: []*content.Platform{nil}}
}

// id is the number of a platform, which gets one if it has none. nil is 0.
func (p *platforms) id(platform *content.Platform) platformID {
	if platform == nil {
		return 0
	}
	p.key = p.key[:0]
	for _, s := range []string{platform.OS, platform.Architecture, platform.Variant, platform.OSVersion} {
		p.key = append(strconv.AppendInt(p.key, int64(len(s)), 10), ' ')
		p.key = append(p.key, s...)
	}
	for _, s := range platform.OSFeatures {
		p.key = append(strconv.AppendInt(p.key, int64(len(s)), 10), ' ')
		p.key = append(p.key, s...)
	}
	id, ok := p.ids[string(p.key)]
	if !ok {
		id = platformID(len(p.list))
		p.ids[string(p.key)] = id
		p.list = append(p.list, platform)
	}
	return id
}

// platform is what a number stands for; it must not be changed.
func (p *platforms) platform(id platformID) *content.Platform { return p.list[id] }
