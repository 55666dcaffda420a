package imagefs

// ComparePaths orders paths, cleaned and relative to a root called "." or "", as a walk
// finds them: a directory, what is in it, and then what comes after it; siblings by the
// bytes of their names. It is less than 0 if a comes first, 0 if they are equal.
func ComparePaths(a, b string) int {
	if a == "." {
		a = ""
	}
	if b == "." {
		b = ""
	}
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return int(a[i]) - int(b[i])
	}
	return len(a) - len(b)
}
