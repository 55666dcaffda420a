package durable

// A Stamp identifies a file and the state of its bytes, as far as the filesystem
// tells: two equal stamps of one path, the first older than the clock's grain,
// are of the same bytes. Stamps compare with ==; the zero Stamp is none. Times
// are nanoseconds since 1970. On Windows Dev and Ino are 0 and CtimeNs is the
// time of creation, so that a rewritten file is known by size and mtime alone.
type Stamp struct {
	Dev, Ino         uint64
	Size             int64
	MtimeNs, CtimeNs int64
}
