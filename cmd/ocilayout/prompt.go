package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/ocilayout/ocilayout/content"
)

// ask asks on the terminal, if there is one, for the user and the password, as far as
// flags do not say them. What is typed as a password is not shown.
func (f *registryFlags) ask(ctx context.Context, e *env) error {
	if f.password || !isTerminal(e.stdin) {
		return nil
	}
	tty := e.stdin.(*os.File)
	if f.o.Username == "" {
		if err := say(e, "Username: "); err != nil {
			return err
		}
		name, err := typed(tty)
		if err != nil {
			return err
		}
		f.o.Username = name
	}
	if err := say(e, "Password: "); err != nil {
		return err
	}
	secret, err := unseen(ctx, tty)
	if err := errors.Join(say(e, "\n"), err); err != nil { // the typed end of the line was not shown either
		return err
	}
	f.o.Password = secret
	if f.o.Username == "" || f.o.Password == "" {
		return content.Errorf(content.ErrInvalid, "a user and a password are needed")
	}
	return nil
}

func say(e *env, text string) error {
	_, err := fmt.Fprint(e.stderr, text)
	return err
}

// typed reads a line, and nothing of what comes after it.
func typed(r io.Reader) (string, error) {
	var line []byte
	var one [1]byte
	for len(line) < maxPassword {
		if _, err := io.ReadFull(r, one[:]); err == io.EOF || err == nil && one[0] == '\n' {
			break
		} else if err != nil {
			return "", err
		}
		line = append(line, one[0])
	}
	return strings.TrimSpace(string(line)), nil
}

// unseen reads a line that the terminal does not show. If ctx ends meanwhile, the
// terminal shows again what is typed.
func unseen(ctx context.Context, tty *os.File) (string, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { _ = term.Restore(fd, before) })()
	line, err := term.ReadPassword(fd)
	if err == io.EOF {
		err = nil // nothing was typed
	}
	return string(line), err
}
