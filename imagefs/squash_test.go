package imagefs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// squash returns the plain tar of layers[first:] as one, and how often writing began.
func squash(t *testing.T, s content.Fetcher, layers []imagefs.Layer, first int) ([]byte, int, error) {
	t.Helper()
	var buf bytes.Buffer
	begun := 0
	n, err := imagefs.Squash(context.Background(), s, layers, first, content.Limits{}, func() (io.Writer, error) {
		begun++
		buf.Reset()
		return &buf, nil
	})
	if err == nil && n != len(names(t, buf.Bytes())) {
		t.Errorf("%d members were counted, %d are there", n, len(names(t, buf.Bytes())))
	}
	return buf.Bytes(), begun, err
}

// names lists the members of a tar, links with what they lead to.
func names(t *testing.T, data []byte) []string {
	t.Helper()
	var list []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case h.Typeflag == tar.TypeLink:
			list = append(list, h.Name+" = "+h.Linkname)
		case h.Typeflag == tar.TypeSymlink:
			list = append(list, h.Name+" -> "+h.Linkname)
		case len(body) > 0:
			list = append(list, h.Name+": "+string(body))
		default:
			list = append(list, h.Name)
		}
	}
}

func TestSquash(t *testing.T) {
	for _, tt := range []struct {
		name   string
		first  int
		layers [][]byte
		begun  int
		want   []string
	}{
		{"all", 0, [][]byte{of(build.Dir("d"), build.Text("d/a", "1"), build.Text("d/b", "b")), of(build.Dir("d"), build.Text("d/a", "2"))},
			1, []string{"d/a: 2", "d/b: b", "d/"}},
		{"whiteouts go with what they hide", 0, [][]byte{of(text("d/a"), text("d/b")), of(text("d/.wh.a"), build.Text(".wh.x", ""))},
			1, []string{"d/b: d/b"}},
		{"a hard link whose target is gone", 0, [][]byte{of(build.Text("a", "1"), build.Hardlink("b", "a")), of(build.Text(".wh.a", ""))},
			2, []string{"b: 1"}},
		{"a hard link across layers whose target is replaced", 0, [][]byte{of(build.Text("a", "1")), of(build.Hardlink("b", "a")), of(build.Text("a", "2"))},
			2, []string{"a: 2", "b: 1"}},
		{"through a link of a lower layer", 0, [][]byte{of(build.Dir("usr"), build.Symlink("lib", "usr")), of(text("lib/a"))},
			2, []string{"usr/a: lib/a", "lib -> usr", "usr/"}},
		{"a path twice", 0, [][]byte{of(build.Text("a", "1"), build.Text("a", "2"))}, 2, []string{"a: 2"}},

		{"whiteouts stay above a base", 1, [][]byte{of(build.Dir("d"), text("d/a"), text("d/b")), of(text("d/.wh.a"), text("new")), of(text(".wh.new"), text(".wh.never"))},
			1, []string{"d/.wh.a"}},
		{"opaque stays above a base", 1, [][]byte{of(build.Dir("d"), text("d/a")), of(build.Dir("d"), text("d/.wh..wh..opq")), of(build.Dir("d"), text("d/n"))},
			1, []string{"d/.wh..wh..opq", "d/n: d/n", "d/"}},
		{"a directory made anew", 1, [][]byte{of(build.Dir("d"), text("d/a"), text("d/b")), of(text(".wh.d")), of(build.Dir("d"), build.Text("d/a", "2"))},
			1, []string{"d/.wh.b", "d/a: 2", "d/"}},
		{"a directory instead of a link", 1, [][]byte{of(build.Dir("e"), text("e/x"), build.Symlink("d", "e")), of(build.Dir("d"), text("d/.wh..wh..opq"), text("d/y"))},
			1, []string{"d/", "d/.wh..wh..opq", "d/y: d/y", "d/"}},
		{"a hard link to a file of the base", 1, [][]byte{of(text("a"), build.Hardlink("b", "a")), of(build.Hardlink("c", "a")), of(text(".wh.a"))},
			1, []string{".wh.a", "c = b"}},
		{"hard links to what the base has no name for", 1, [][]byte{of(text("a")), of(build.Hardlink("b", "a"), build.Hardlink("c", "b")), of(build.Text("a", "2"))},
			1, []string{"a: 2", "b: a", "c = b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, layers := stack(tt.layers...)
			data, begun, err := squash(t, s, layers, tt.first)
			if err != nil {
				t.Fatal(err)
			}
			if got := names(t, data); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if begun != tt.begun {
				t.Errorf("writing began %d times, not %d", begun, tt.begun)
			}
		})
	}
}

// tally counts how often each layer is opened.
type tally struct {
	store
	sync.Mutex
	opened map[content.Digest]int
}

func (c *tally) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	c.Lock()
	c.opened[d.Digest]++
	c.Unlock()
	return c.store.Fetch(ctx, d)
}

// TestSquashReads: all layers are read once, those of a range twice, and those below
// it once.
func TestSquashReads(t *testing.T) {
	s, layers := stack(of(text("a")), of(text("b")), of(text("c"), text(".wh.a")))
	for first, want := range [][]int{{1, 1, 1}, {1, 2, 2}, {1, 1, 2}} {
		c := &tally{store: s, opened: map[content.Digest]int{}}
		if _, _, err := squash(t, c, layers, first); err != nil {
			t.Fatal(err)
		}
		for i, l := range layers {
			if got := c.opened[l.Digest]; got != want[i] {
				t.Errorf("from %d: layer %d is opened %d times, not %d", first, i, got, want[i])
			}
		}
	}
}

// TestSquashRefusesLayers: what no image may have makes no layer either, also in layers
// that are only read to know what they have.
func TestSquashRefusesLayers(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			s, layers := stack(tt.tar, of(text("top")))
			for first := range layers {
				if _, _, err := squash(t, s, layers, first); !errors.Is(err, tt.want) {
					t.Errorf("from %d: %v, want %v", first, err, tt.want)
				}
			}
		})
	}
}

// TestSquashRefuses: there is nothing to squash, and every layer is proven.
func TestSquashRefuses(t *testing.T) {
	s, layers := stack(of(text("a")), of(build.Text("a", "2")), of(text(".wh.a")))
	for _, first := range []int{-1, 3} {
		if _, _, err := squash(t, s, layers, first); err == nil {
			t.Errorf("first %d is no error", first)
		}
	}
	for first := range 2 {
		for i := first; i < len(layers); i++ {
			wrong := slices.Clone(layers)
			wrong[i].DiffID = build.Descriptor("", []byte("other")).Digest
			if _, _, err := squash(t, s, wrong, first); err == nil {
				t.Errorf("from %d: a wrong diffID of layer %d is no error", first, i)
			}
		}
	}
}

// A random stack is made of few names, so that its layers have much to do with each
// other.
type random struct{ *rand.Rand }

func (r random) path() string {
	depth := 1 + r.IntN(3)
	parts := make([]string, depth)
	for i := range parts {
		parts[i] = string(rune('a' + r.IntN(3)))
	}
	return strings.Join(parts, "/")
}

func (r random) layer(serial *int) []byte {
	var files []build.File
	for range 1 + r.IntN(8) {
		*serial++
		f := build.File{Name: r.path(), Mode: []int64{0o644, 0o4755, 0o600}[r.IntN(3)], UID: r.IntN(3), Time: time.Unix(int64(1e9+*serial), 0)}
		switch n := r.IntN(20); {
		case n < 7:
			f.Body = fmt.Appendf(nil, "body %d", *serial)
			if r.IntN(3) == 0 {
				f.PAX = map[string]string{"SCHILY.xattr.user.n": fmt.Sprint(*serial)}
			}
		case n < 8:
		case n < 12:
			f.Type, f.Mode = tar.TypeDir, 0o711
		case n < 13:
			f.Type, f.Link = tar.TypeSymlink, r.path()
		case n < 14:
			f.Type = tar.TypeFifo
		case n < 17:
			f.Type, f.Link = tar.TypeLink, r.path()
		case n < 19:
			dir, base, ok := strings.Cut(f.Name, "/")
			if !ok {
				dir, base = "", dir
			} else {
				dir += "/"
			}
			f = build.Text(dir+".wh."+strings.ReplaceAll(base, "/", ""), "")
		default:
			f = build.Text(f.Name+"/.wh..wh..opq", "")
			if r.IntN(8) == 0 {
				f.Name = ".wh..wh..opq"
			}
		}
		if r.IntN(40) == 0 {
			f = build.File{Name: "./", Type: tar.TypeDir, Mode: 0o700 + int64(r.IntN(8)), Time: f.Time}
		}
		files = append(files, f)
	}
	return build.Tar(files...)
}

// described is everything about a merged tree, a line a file.
func described(t *testing.T, s content.Fetcher, layers []imagefs.Layer) ([]string, error) {
	t.Helper()
	ctx := context.Background()
	tree, err := imagefs.Build(ctx, s, layers, content.Limits{})
	if err != nil {
		return nil, err
	}
	bodies := make([]string, tree.Len())
	var mu sync.Mutex
	err = tree.Bodies(ctx, s, func(body int, r io.Reader) error {
		data, err := io.ReadAll(r)
		mu.Lock()
		defer mu.Unlock()
		bodies[body] = string(data)
		return err
	})
	var lines []string
	for f := range tree.Files() {
		body := ""
		if f.Body >= 0 {
			body = bodies[f.Body]
		}
		h := f.Header()
		lines = append(lines, fmt.Sprintf("%s %c %o %d %v link %q %v %q", h.Name, h.Typeflag, h.Mode, h.Uid, h.ModTime.UnixNano(), h.Linkname, h.PAXRecords, body))
	}
	return lines, err
}

// TestSquashIsTheMergedTree: for random stacks and all their ranges.
func TestSquashIsTheMergedTree(t *testing.T) {
	stacks, once := 0, 0
	for seed := range uint64(1000) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		var plain [][]byte
		serial := 0
		for range 1 + r.IntN(4) {
			plain = append(plain, r.layer(&serial))
		}
		s, layers := stack(plain...)
		if _, err := described(t, s, layers); err != nil {
			continue // a hard link to nothing, or a loop of links
		}
		stacks++
		for first := range layers {
			for end := first + 1; end <= len(layers); end++ {
				want, err := described(t, s, layers[:end])
				if err != nil {
					t.Fatal(err)
				}
				data, begun, err := squash(t, s, layers[:end], first)
				if err != nil {
					t.Fatalf("seed %d, %d to %d: %v", seed, first, end, err)
				}
				if first == 0 && begun == 1 {
					once++
				}
				d := build.Blobs(s).Put(ocispec.MediaTypeImageLayer, data)
				squashed := append(slices.Clone(layers[:first]), imagefs.Layer{Descriptor: d})
				got, err := described(t, s, squashed)
				if err != nil {
					t.Fatalf("seed %d, %d to %d: the squash: %v", seed, first, end, err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("seed %d, %d to %d:\ngot  %s\nwant %s\nsquash %q", seed, first, end,
						strings.Join(got, "\n     "), strings.Join(want, "\n     "), names(t, data))
				}
				if first == 0 && strings.Contains(fmt.Sprint(names(t, data)), ".wh.") {
					t.Fatalf("seed %d: whiteouts with nothing below: %q", seed, names(t, data))
				}
			}
		}
	}
	if stacks < 200 || once < 200 {
		t.Errorf("only %d stacks were squashed, %d in one pass", stacks, once)
	}
}
