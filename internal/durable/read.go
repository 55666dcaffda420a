package durable

import "github.com/ocilayout/ocilayout/content"

// tooLarge is what a file is that has more bytes than its reader wants.
func tooLarge(path string, size, max int64) error {
	return content.At(path, content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", size, max))
}
