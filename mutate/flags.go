package mutate

import (
	"slices"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Flag is an edit as the command line names it.
type Flag struct {
	Name  string // without dashes
	Usage string // one line, with the value's name in backquotes
	// Bare says that it takes no value: Parse is given "".
	Bare bool
	// Parse reads one value, selector included. What is malformed is ErrInvalid.
	Parse func(value string, env FlagEnv) (Edit, error)
}

// A FlagEnv is what a flag's value may lead to.
type FlagEnv struct {
	// Resolve finds an image by reference, in this layout (":NAME", "@DIGEST") or in
	// another one, which stays open until the edits have been applied.
	Resolve func(ref string) (content.Fetcher, content.Descriptor, error)
	// Now is the time that "now" means; nil is the clock's.
	Now func() time.Time
	// Created is noted as the time of what the edits make, such as an entry of history;
	// zero notes nothing, so that the same edits make the same image.
	Created time.Time
	// Layout is the one that the image is in, of which artifacts are looked up.
	Layout *layout.Reader
}

// Flags lists the flags of all edits, in the order in which help shows them.
func Flags() []Flag {
	return slices.Concat(
		configFlags(),
		historyFlags(),
		annotationFlags(),
		timeFlags(),
		layerFlags(),
		formFlags(),
	)
}

// selected makes a Flag's Parse of a function that reads the value behind the
// selector.
func selected(parse func(value string, env FlagEnv) (Change, error)) func(string, FlagEnv) (Edit, error) {
	return func(value string, env FlagEnv) (Edit, error) {
		on, rest, err := ParseSelector(value)
		if err != nil {
			return Edit{}, err
		}
		change, err := parse(rest, env)
		return Edit{On: on, Change: change}, err
	}
}

// layerFlags are those that change what layers there are and what is in them.
func layerFlags() []Flag {
	return slices.Concat(
		fileTarTimeFlags(),
		layerAddFlags(),
		layerRemoveFlags(),
		stripFlags(),
		whiteoutFlags(),
		compressFlags(),
		normalizeFlags(),
	)
}
