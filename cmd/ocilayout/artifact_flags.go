package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
)

// artifactFlags say what an artifact is made of.
type artifactFlags struct {
	list                                    ordered // of annotation and title
	artifactType, mediaType, annotationFile string
	config, configType, created             string
	stripDirs                               bool
}

func (f *artifactFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "type", Destination: &f.artifactType, Usage: "the artifact's `TYPE`; without it, that of its files"},
		f.list.flag("annotation", "annotate the manifest with `KEY=VALUE`"),
		&cli.StringFlag{Name: "annotation-file", Destination: &f.annotationFile, Usage: "take annotations from `FILE`, JSON as oras has it: {\"$manifest\": {}, \"$config\": {}, \"FILE\": {}}"},
		&cli.StringFlag{Name: "media-type", Destination: &f.mediaType, Usage: "the `TYPE` of files that have none of their own; without it, by the end of their names"},
		f.list.flag("title", "call the file `NAME` and not by its path; with several files once for each, in their order"),
		&cli.BoolFlag{Name: "strip-dirs", Destination: &f.stripDirs, Usage: "call files by the last part of their paths"},
		&cli.StringFlag{Name: "config", Destination: &f.config, Usage: "the config is `FILE[:TYPE]`; without it, empty"},
		&cli.StringFlag{Name: "config-type", Destination: &f.configType, Usage: "the config's media `TYPE`"},
		&cli.StringFlag{Name: "created", Destination: &f.created, Usage: "note `TIME`, such as 2026-11-25T12:00:00Z, as the time of creation; without it, SOURCE_DATE_EPOCH or none"},
	}
}

// nothing refuses to make an artifact of nothing at all: with neither files nor a
// config, its type or annotations are what it says.
func (f *artifactFlags) nothing(args []string) error {
	if len(args) > 0 || f.artifactType != "" || f.config != "" || f.annotationFile != "" || len(f.list.of("annotation")) > 0 {
		return nil
	}
	return content.Errorf(content.ErrInvalid, "no file is given, and no --type of an artifact without any")
}

// options reads the flags, with the files to be stored, or for a preset.
func (f *artifactFlags) options(e *env, args []string, preset bool) (o artifact.Options, err error) {
	if !preset {
		if err := f.nothing(args); err != nil {
			return o, err
		}
	}
	o = artifact.Options{Type: f.artifactType, ConfigType: f.configType}
	if o.Created, err = f.time(); err != nil {
		return o, err
	}
	ofFiles, err := readAnnotationFile(e, f.annotationFile)
	if err != nil {
		return o, err
	}
	if o.Files, err = f.files(e, args, ofFiles); err != nil {
		return o, err
	}
	if f.config != "" {
		file, err := f.file(e, f.config, "")
		if err != nil {
			return o, err
		}
		file.Title, file.Annotations = "", ofFiles["$config"]
		o.Config = &file
	} else if len(ofFiles["$config"]) > 0 {
		return o, content.Errorf(content.ErrInvalid, "%s has annotations of a config: say --config", f.annotationFile)
	}
	own, err := parsePairs("annotation", f.list.of("annotation"))
	if err != nil {
		return o, err
	}
	o.Annotations = maps.Clone(ofFiles["$manifest"])
	if o.Annotations == nil {
		o.Annotations = map[string]string{}
	}
	maps.Copy(o.Annotations, own)
	return o, unusedAnnotations(f.annotationFile, ofFiles, args)
}

func (f *artifactFlags) time() (*time.Time, error) {
	t, err := sourceDate()
	if err == nil {
		t, err = createdTime(f.created, t)
	}
	if err != nil || t.IsZero() {
		return nil, err
	}
	return &t, nil
}

func (f *artifactFlags) files(e *env, args []string, annotations map[string]map[string]string) ([]artifact.File, error) {
	if len(args) == 0 && (f.mediaType != "" || f.stripDirs) {
		return nil, content.Errorf(content.ErrInvalid, "--media-type and --strip-dirs are about files, and none is given")
	}
	titles := f.list.of("title")
	if len(titles) > 0 && len(titles) != len(args) {
		return nil, content.Errorf(content.ErrInvalid, "%d titles for %d files: --title is given once for each", len(titles), len(args))
	}
	var files []artifact.File
	stdin := false
	for i, arg := range args {
		file, err := f.file(e, arg, f.mediaType)
		if err != nil {
			return nil, err
		}
		if file.Open != nil && stdin {
			return nil, content.Errorf(content.ErrInvalid, "standard input can be read only once")
		}
		stdin = stdin || file.Open != nil
		if len(titles) > 0 {
			file.Title = titles[i]
		}
		path, _ := splitFile(arg)
		file.Annotations = annotations[path]
		files = append(files, file)
	}
	return files, nil
}

// file makes a file of FILE[:MEDIATYPE], "-" being standard input.
func (f *artifactFlags) file(e *env, arg, mediaType string) (artifact.File, error) {
	path, own := splitFile(arg)
	file := artifact.File{Path: path, MediaType: mediaType}
	if own != "" {
		file.MediaType = own
	}
	if path == "-" {
		file.Path, file.Open = "", func() (io.ReadCloser, error) { return io.NopCloser(e.stdin), nil }
		return file, nil
	}
	file.Title = artifact.Title(path, f.stripDirs)
	return file, nil
}

// splitFile cuts FILE[:MEDIATYPE]. A file that is there by the whole name has no
// media type behind it.
func splitFile(arg string) (path, mediaType string) {
	if _, err := os.Lstat(arg); err == nil {
		return arg, ""
	}
	if i := strings.LastIndexByte(arg, ':'); i > 0 && artifact.IsMediaType(arg[i+1:]) {
		return arg[:i], arg[i+1:]
	}
	return arg, ""
}

// parsePairs reads the KEY=VALUE of a repeatable flag; the last one of a key counts.
func parsePairs(flag string, texts []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, content.Errorf(content.ErrInvalid, "--%s %q: want KEY=VALUE", flag, text)
		}
		pairs[key] = value
	}
	return pairs, nil
}

// maxAnnotations is how many bytes a file of annotations may have.
const maxAnnotations = 4 << 20

// readAnnotationFile reads annotations by what they belong to; none if path is "".
func readAnnotationFile(e *env, path string) (map[string]map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	f, err := e.input(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxAnnotations+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxAnnotations {
		return nil, content.At(path, content.Errorf(content.ErrRefused, "is over the limit of %d bytes", maxAnnotations))
	}
	var annotations map[string]map[string]string
	if err := json.Unmarshal(data, &annotations); err != nil {
		return nil, content.At(path, content.Errorf(content.ErrInvalid, "is no file of annotations: %v", err))
	}
	return annotations, nil
}

// unusedAnnotations refuses annotations of a file that is not stored.
func unusedAnnotations(path string, annotations map[string]map[string]string, args []string) error {
	used := map[string]bool{"$manifest": true, "$config": true}
	for _, arg := range args {
		name, _ := splitFile(arg)
		used[name] = true
	}
	for name := range annotations {
		if !used[name] {
			return content.At(path, content.Errorf(content.ErrInvalid, "has annotations of %q, which is not among the files", name))
		}
	}
	return nil
}
