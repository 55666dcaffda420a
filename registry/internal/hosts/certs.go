package hosts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// certificates adds those that the first directory for the endpoint's host has, but
// where a file names some already.
func (c *Config) certificates(e *Endpoint) error {
	if len(e.CA) > 0 || len(e.Client) > 0 || e.Scheme == "http" {
		return nil
	}
	for _, root := range c.places.Certs {
		for _, dir := range hostDirs(root, e.Host) {
			entries, err := os.ReadDir(dir)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				continue
			}
			if err != nil {
				return err
			}
			if e.CA, e.Client, err = pairs(dir, entries); err != nil {
				return err
			}
			if len(e.CA)+len(e.Client) > 0 {
				return nil
			}
		}
	}
	return nil
}

// pairs lists the *.crt to be trusted, and each *.cert with its *.key.
func pairs(dir string, entries []fs.DirEntry) (ca []string, client [][2]string, err error) {
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch base := strings.TrimSuffix(path, filepath.Ext(path)); filepath.Ext(path) {
		case ".crt":
			ca = append(ca, path)
		case ".cert":
			if !names[filepath.Base(base)+".key"] {
				return nil, nil, broken(path, "its key, %s.key, is not there; certificates to be trusted end in .crt", filepath.Base(base))
			}
			client = append(client, [2]string{path, base + ".key"})
		case ".key":
			if !names[filepath.Base(base)+".cert"] {
				return nil, nil, broken(path, "its certificate, %s.cert, is not there", filepath.Base(base))
			}
		}
	}
	return ca, client, nil
}

// hostDirs are the names that a directory for a host may have: containerd's for systems
// without colons in names, and everybody's.
func hostDirs(root, host string) []string {
	if !isHost(host) {
		return nil
	}
	dirs := []string{filepath.Join(root, host)}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		dirs = append([]string{filepath.Join(root, host[:i]+"_"+host[i+1:]+"_")}, dirs...)
	}
	if runtime.GOOS == "windows" && strings.Contains(host, ":") {
		dirs = dirs[:len(dirs)-1]
	}
	return dirs
}
