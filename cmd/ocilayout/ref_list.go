package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// Bounds of a file of references.
const (
	maxRefList = 100_000  // references
	maxRefLine = 16 << 10 // bytes of a line
)

// refListUsage says what such a file is like.
const refListUsage = "It is a text file, with one image on a line; blank lines are skipped, and what follows a #."

// A listedRef is one line of a file of references.
type listedRef struct {
	source string
	target string // "" where the line has none
	where  string // FILE:LINE
}

// at puts the line in front of an error.
func (r listedRef) at(err error) error { return content.At(r.where, err) }

// refList reads a file of references, "-" being standard input: SOURCE or SOURCE TARGET
// a line. Lines that are otherwise are ErrInvalid, and a file that has none ErrNotFound.
func (e *env) refList(file string) (_ []listedRef, err error) {
	in := e.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer closing(f, &err)
		in = f
	}
	return parseRefList(file, in)
}

func parseRefList(file string, in io.Reader) ([]listedRef, error) {
	var list []listedRef
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxRefLine)
	number := 1
	for ; lines.Scan(); number++ {
		ref := listedRef{where: file + ":" + strconv.Itoa(number)}
		words := refWords(strings.TrimPrefix(lines.Text(), "\ufeff"))
		switch {
		case len(words) == 0:
			continue
		case len(words) > 2:
			return nil, ref.at(content.Errorf(content.ErrInvalid, "there are %d words, wanted are one or two", len(words)))
		case len(list) == maxRefList:
			return nil, ref.at(content.Errorf(content.ErrRefused, "there are more than %d references", maxRefList))
		case len(words) == 2:
			ref.target = words[1]
		}
		ref.source = words[0]
		list = append(list, ref)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, content.At(file+":"+strconv.Itoa(number), content.Errorf(content.ErrRefused, "the line has more than %d bytes", maxRefLine))
	} else if err != nil {
		return nil, content.At(file, err)
	}
	if len(list) == 0 {
		return nil, content.At(file, content.Errorf(content.ErrNotFound, "it lists no image"))
	}
	return list, nil
}

// refWords splits a line, without what is a comment: a word that begins with #, and all
// after it.
func refWords(line string) []string {
	words := strings.Fields(line)
	for i, word := range words {
		if strings.HasPrefix(word, "#") {
			return words[:i]
		}
	}
	return words
}
