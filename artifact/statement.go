package artifact

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// The media types of attestations.
const (
	MediaTypeInToto = "application/vnd.in-toto+json"
	MediaTypeDSSE   = "application/vnd.dsse.envelope.v1+json"
)

// AnnotationPredicate is the annotation that says what an attestation attests, as
// BuildKit writes it.
const AnnotationPredicate = "in-toto.io/predicate-type"

const (
	maxStatement   = 64 << 20 // bytes of an attestation, or of a bundle with one
	statementDepth = 8        // how deep the values in it nest that are looked at
)

// A statement is what we look at in an in-toto statement (in-toto attestation
// specification, "Statement").
type statement struct {
	Type          string
	PredicateType string
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	}
}

// parseStatement reads a statement and holds that it is one.
func parseStatement(data []byte) (statement, error) {
	var s statement
	o, err := parseObject(data)
	if err != nil {
		return s, err
	}
	err = errors.Join(decode(o, "_type", &s.Type), decode(o, "predicateType", &s.PredicateType), decode(o, "subject", &s.Subject))
	switch {
	case err != nil:
		return s, err
	case !strings.HasPrefix(s.Type, "https://in-toto.io/Statement/"):
		return s, content.Errorf(content.ErrUnsupported, "not an in-toto statement: _type is %q", s.Type)
	case s.PredicateType == "":
		return s, content.Errorf(content.ErrCorrupt, "an in-toto statement without predicateType")
	}
	return s, nil
}

// about holds that the statement speaks of d; the zero digest is anything.
func (s statement) about(d content.Digest) error {
	if d == "" {
		return nil
	}
	named := make([]string, 0, 4)
	for _, subject := range s.Subject {
		if strings.EqualFold(subject.Digest[d.Algorithm().String()], d.Encoded()) {
			return nil
		}
		if hex := subject.Digest["sha256"]; hex != "" && len(named) < cap(named) {
			named = append(named, "sha256:"+hex)
		}
	}
	switch len(named) {
	case 0:
		return content.Errorf(content.ErrInvalid, "is not about %s: it names no image at all", d)
	default:
		return content.Errorf(content.ErrInvalid, "is not about %s: it names %s", d, strings.Join(named, ", "))
	}
}

// An envelope is a DSSE envelope (dsse specification, "Envelope").
type envelope struct {
	Payload     string
	PayloadType string
	Signatures  []struct {
		Sig string `json:"sig"`
	}
}

func parseEnvelope(o *rawjson.Object) (envelope, error) {
	var e envelope
	err := errors.Join(decode(o, "payload", &e.Payload), decode(o, "payloadType", &e.PayloadType), decode(o, "signatures", &e.Signatures))
	return e, err
}

// statement opens the envelope. That somebody signed it is seen, and not proven.
func (e envelope) statement() (statement, error) {
	if e.PayloadType != MediaTypeInToto {
		return statement{}, content.Errorf(content.ErrUnsupported, "a DSSE envelope with a payload of type %q, not %s", e.PayloadType, MediaTypeInToto)
	}
	if len(e.Signatures) == 0 || e.Signatures[0].Sig == "" {
		return statement{}, content.Errorf(content.ErrCorrupt, "a DSSE envelope without a signature")
	}
	payload, err := decodeBase64(e.Payload)
	if err != nil {
		return statement{}, content.Errorf(content.ErrCorrupt, "the payload of a DSSE envelope: %w", err)
	}
	return parseStatement(payload)
}

// decodeBase64 takes both alphabets, with and without padding: the specification
// lets writers choose.
func decodeBase64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// parseAttestation reads a statement or an envelope with one, and tells its media
// type.
func parseAttestation(data []byte) (string, statement, error) {
	o, err := parseObject(data)
	if err != nil {
		return "", statement{}, err
	}
	bare, enveloped := o.Get("_type") != nil, o.Get("payloadType") != nil
	switch {
	case bare && !enveloped:
		s, err := parseStatement(data)
		return MediaTypeInToto, s, err
	case enveloped && !bare:
		e, err := parseEnvelope(o)
		if err != nil {
			return "", statement{}, err
		}
		s, err := e.statement()
		return MediaTypeDSSE, s, err
	}
	return "", statement{}, content.Errorf(content.ErrUnsupported, "neither an in-toto statement nor a DSSE envelope")
}

// parseObject reads a file that is one JSON object, without a key twice.
func parseObject(data []byte) (*rawjson.Object, error) {
	o, err := rawjson.Parse(data)
	if err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "not one JSON object: %w", err)
	}
	return o, nil
}

// decode reads the value of exactly this key, if it is there. It must be one that
// every reader reads alike; what other values hold, predicates for one, is nobody's
// business here.
func decode(o *rawjson.Object, key string, into any) error {
	raw := o.Get(key)
	if raw == nil {
		return nil
	}
	if err := rawjson.Check(raw, statementDepth); err != nil {
		return content.Errorf(content.ErrCorrupt, "%s: %w", key, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return content.Errorf(content.ErrCorrupt, "%s: %w", key, err)
	}
	return nil
}
