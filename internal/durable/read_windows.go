package durable

import "io"

// ReadRegularNoFollow reads the whole of a small regular file, of at most max
// bytes. What is not one, a link included, is refused (content.ErrRefused) as
// [OpenRegularNoFollow] does.
func ReadRegularNoFollow(path string, max int64) ([]byte, error) {
	f, info, err := OpenRegularNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if info.Size() > max {
		return nil, tooLarge(path, info.Size(), max)
	}
	return io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
}
