package artifact_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// hello writes a layout with one image called v1 and opens it.
func hello(t testing.TB) (*layout.Layout, content.Descriptor) {
	t.Helper()
	l := open(t, testkit.Layout(t, build.Hello()))
	return l, resolve(t, l, "v1")
}

func open(t testing.TB, dir string) *layout.Layout {
	t.Helper()
	l, err := layout.Open(dir, layout.Options{NoSync: true, Warn: func(err error) { t.Errorf("warning: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func resolve(t testing.TB, l *layout.Layout, name string) content.Descriptor {
	t.Helper()
	desc, err := l.Resolve(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

// text is a file that lies nowhere on disk.
func text(title, body string) artifact.File {
	return artifact.File{Title: title, Open: opener(body)}
}

func attach(t testing.TB, l *layout.Layout, subject content.Descriptor, o artifact.Options) artifact.Attached {
	t.Helper()
	done, err := artifact.Attach(t.Context(), l, subject, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// tree writes files, directories and links below a new directory.
func tree(t testing.TB, files ...build.File) string {
	t.Helper()
	dir := t.TempDir()
	if err := build.WriteDir(dir, files...); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents lists a tree: path to type, permissions and bytes.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String() + " "
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += target
		}
		all[filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator)))] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// foreign is an artifact as another tool might have written it: with these layers,
// whatever they say.
func foreign(l *build.Layout, layers ...content.Descriptor) content.Descriptor {
	l.Blobs[ocispec.DescriptorEmptyJSON.Digest] = []byte("{}")
	desc := l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: "t/foreign", Config: ocispec.DescriptorEmptyJSON, Layers: layers,
	})
	desc.ArtifactType = "t/foreign"
	l.Tag("foreign", desc)
	return desc
}

// titled is a layer with a title.
func titled(l *build.Layout, title string, body []byte) content.Descriptor {
	desc := l.Put("application/octet-stream", body)
	desc.Annotations = map[string]string{ocispec.AnnotationTitle: title}
	return desc
}

// packed is a layer that is a directory.
func packed(l *build.Layout, title string, format string, members ...build.File) content.Descriptor {
	desc := titled(l, title, build.Compress(format, build.Tar(members...)))
	desc.Annotations["io.deis.oras.content.unpack"] = "true"
	return desc
}

// save saves the artifact called foreign to dir.
func save(t testing.TB, layoutDir, dir string, o artifact.SaveOptions) ([]artifact.Saved, error) {
	t.Helper()
	l := open(t, layoutDir)
	items, err := artifact.Items(t.Context(), l, resolve(t, l, "foreign"), artifact.Filter{}, l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	return artifact.Save(context.Background(), l, items, dir, o)
}
