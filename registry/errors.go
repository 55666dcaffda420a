package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/ocilayout/ocilayout/content"
)

// What a registry refuses, told apart. What it does not have is content.ErrNotFound.
var (
	// ErrUnauthorized says that the registry wants credentials, or others (401).
	ErrUnauthorized = errors.New("unauthorized")
	// ErrDenied says that the credentials do not suffice (403).
	ErrDenied = errors.New("denied")
	// ErrRateLimited says that there were too many requests, and still are (429).
	ErrRateLimited = errors.New("rate limited")
	// ErrUnavailable says that the registry failed (5xx) or could not be reached.
	ErrUnavailable = errors.New("unavailable")
)

// maxErrorBody is how much is read of the body of a refusal.
const maxErrorBody = 64 << 10

// refusal makes an error of a response that is not what was asked for. It closes
// the body.
func refusal(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	text := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // as far as it goes
	var body struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(data, &body) == nil && len(body.Errors) > 0 {
		text += ": " + strings.Join(strings.Fields(body.Errors[0].Code+" "+body.Errors[0].Message), " ") // on one line
	}
	return ofStatus(resp.StatusCode, text)
}

func ofStatus(status int, text string) error {
	switch {
	case status == http.StatusUnauthorized:
		return content.Errorf(ErrUnauthorized, "%s", text)
	case status == http.StatusForbidden:
		return content.Errorf(ErrDenied, "%s", text)
	case status == http.StatusNotFound:
		return content.Errorf(content.ErrNotFound, "%s", text)
	case status == http.StatusTooManyRequests:
		return content.Errorf(ErrRateLimited, "%s", text)
	case status >= 500:
		return content.Errorf(ErrUnavailable, "%s", text)
	}
	return errors.New(text)
}

// failure makes an error of what kept a request from having a response. Addresses
// of requests are left out: those of redirects hold signatures.
func failure(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var refused *errcode.ErrorResponse
	if errors.As(err, &refused) {
		return ofStatus(refused.StatusCode, fmt.Sprintf("the token service of %s says %d %s", host, refused.StatusCode, http.StatusText(refused.StatusCode)))
	}
	if errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return content.Errorf(ErrUnauthorized, "%s wants a user and a password, and there are none for it", host)
	}
	var unknown *credentialError
	if errors.As(err, &unknown) {
		return unknown
	}
	var own *guardError
	if errors.As(err, &own) {
		return own
	}
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return content.Errorf(ErrUnavailable, "%s can't be reached: no address for %s: %s", host, lookup.Name, lookup.Err)
	}
	err = innermost(err)
	if text, ok := strings.CutPrefix(err.Error(), "bearer realm "); ok {
		return content.Errorf(content.ErrRefused, "%s names a token service that is not asked: %s", host, realmFault(text))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return content.Errorf(ErrUnavailable, "%s closed the connection", host)
	}
	return content.Errorf(ErrUnavailable, "%s can't be reached: %v", host, err)
}

// realmFault says what is wrong with a realm, of which the text may quote the address.
func realmFault(text string) string {
	if at, ok := strings.CutPrefix(text, "host "); ok && strings.Contains(at, "in blocked prefix") {
		return at
	}
	return "its address is no https one"
}

// innermost finds the cause that says what happened on the network.
func innermost(err error) error {
	for {
		if _, ok := err.(*net.OpError); ok {
			return err
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// A guardError says that a request was not sent, since it would have told too much.
type guardError struct{ text string }

func (e *guardError) Error() string { return e.text }

func (e *guardError) Is(target error) bool { return target == content.ErrRefused }
