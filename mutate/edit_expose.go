package mutate

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// Expose says that containers listen on a port, in the config's config.ExposedPorts,
// or with Remove that they do not. A port without a protocol is one of tcp, in the
// image's own spelling too.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type Expose struct {
	Port   string // "8080/tcp"
	Remove bool
}

// Image adds the port or takes it out.
func (e Expose) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error {
		return editMember(c, "ExposedPorts", func(ports *rawjson.Object) error {
			setMember(ports, e.Port, e.Remove)
			if short, ok := strings.CutSuffix(e.Port, "/tcp"); ok && ports.Get(short) != nil {
				ports.Delete(short)
			}
			return nil
		})
	})
}

// setMember adds a member to a set, which is an object of empty objects, or takes it
// out.
func setMember(set *rawjson.Object, member string, remove bool) {
	if remove {
		set.Delete(member)
	} else if set.Get(member) == nil {
		set.Set(member, json.RawMessage("{}"))
	}
}

var exposeFlag = Flag{
	Name:  "expose",
	Usage: "add a port that it listens on: `PORT`[/tcp|/udp|/sctp]; with = at the end it is deleted",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		port, remove, err := cutDeletion(value)
		if err != nil {
			return nil, err
		}
		port, err = parsePort(port)
		return Expose{port, remove}, err
	}),
}

// parsePort reads a port, and gives it with its protocol.
func parsePort(s string) (string, error) {
	port, protocol, given := strings.Cut(s, "/")
	if !given {
		protocol = "tcp"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	known := protocol == "tcp" || protocol == "udp" || protocol == "sctp"
	if err != nil || n == 0 || !known {
		return "", content.Errorf(content.ErrInvalid, "%q is no port: want one such as 8080/tcp", s)
	}
	return strconv.FormatUint(n, 10) + "/" + protocol, nil
}
