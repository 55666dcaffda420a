package artifact_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
)

var (
	imageDigest = digest.FromString("an image")
	otherDigest = digest.FromString("another image")
)

const spdxPredicate = "https://spdx.dev/Document"

// statementOf is an in-toto statement about images.
func statementOf(subjects ...content.Digest) string {
	var list []string
	for _, d := range subjects {
		list = append(list, fmt.Sprintf(`{"name":"app","digest":{%q:%q}}`, d.Algorithm(), d.Encoded()))
	}
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":%q,"predicate":{"PATH":1,"path":2}}`,
		strings.Join(list, ","), spdxPredicate)
}

// envelopeOf is a DSSE envelope around a payload.
func envelopeOf(payloadType, payload string) string {
	return fmt.Sprintf(`{"payloadType":%q,"payload":%q,"signatures":[{"keyid":"","sig":"MEUC"}]}`,
		payloadType, base64.StdEncoding.EncodeToString([]byte(payload)))
}

func bundleOf(mediaType, what string) string {
	return fmt.Sprintf(`{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"x"}},%s}`, mediaType, what)
}

func messageOf(d content.Digest) string {
	sum := []byte(nil)
	for i := 0; i < len(d.Encoded()); i += 2 {
		var b byte
		if _, err := fmt.Sscanf(d.Encoded()[i:i+2], "%02x", &b); err != nil {
			panic(err)
		}
		sum = append(sum, b)
	}
	return fmt.Sprintf(`"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":%q},"signature":"MEUC"}`,
		base64.StdEncoding.EncodeToString(sum))
}

func TestSBOM(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		err              error
	}{
		{"spdx json", `{"SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.3","packages":[{"a":[1,{"b":"}"}]}]}`, "application/spdx+json", nil},
		{"spdx 3", `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}`, "application/spdx+json", nil},
		{"spdx tag-value", "# made by hand\n\nSPDXVersion: SPDX-2.2\nDataLicense: CC0-1.0\n", "text/spdx", nil},
		{"spdx tag-value of Windows", "SPDXVersion: SPDX-2.3\r\nDataLicense: CC0-1.0\r\n", "text/spdx", nil},
		{"cyclonedx json", "\n {\"components\":[],\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\"}\n", "application/vnd.cyclonedx+json", nil},
		{"cyclonedx xml", `<?xml version="1.0"?><!-- x --><bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1"></bom>`, "application/vnd.cyclonedx+xml", nil},
		{"cyclonedx xml with a prefix", `<c:bom xmlns:c="http://cyclonedx.org/schema/bom/1.4"/>`, "application/vnd.cyclonedx+xml", nil},
		{"syft", `{"artifacts":[],"schema":{"version":"16.0.0","url":"https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-16.0.0.json"}}`, "application/vnd.syft+json", nil},
		{"other json", `{"schema":{"url":"https://example.com"},"bomFormat":"x","spdxVersion":2,"@context":["https://spdx.org/rdf/x"]}`, "", content.ErrUnsupported},
		{"two formats", `{"bomFormat":"CycloneDX","spdxVersion":"SPDX-2.3"}`, "", content.ErrCorrupt},
		{"cut json", `{"bomFormat":"CycloneDX","components":[`, "", content.ErrCorrupt},
		{"data after json", `{"bomFormat":"CycloneDX"} {}`, "", content.ErrCorrupt},
		{"array", `["spdxVersion"]`, "", content.ErrUnsupported},
		{"other xml", `<bom xmlns="http://example.com/bom/"/>`, "", content.ErrUnsupported},
		{"xml of another root", `<x xmlns="http://cyclonedx.org/schema/bom/1.5"/>`, "", content.ErrUnsupported},
		{"text", "hello\nSPDXVersion: SPDX-2.3\n", "", content.ErrUnsupported},
		{"empty", "", "", content.ErrUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := testkit.File(t, "bill.of.materials", []byte(test.text))
			o, err := artifact.SBOM(path)
			wantError(t, err, test.err, path)
			if err != nil {
				return
			}
			if o.Type != test.want || len(o.Files) != 1 || o.Files[0].MediaType != test.want || o.Files[0].Title != "bill.of.materials" {
				t.Errorf("%+v, want %s", o, test.want)
			}
		})
	}
}

// wantError holds an error to a sentinel and to naming the file.
func wantError(t *testing.T, err, want error, path string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if want != nil && !strings.Contains(err.Error(), path) {
		t.Errorf("error %q does not name %s", err, path)
	}
}

func TestSBOMAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent.json")
	_, err := artifact.SBOM(path)
	wantError(t, err, content.ErrNotFound, path)
}

func TestAttestation(t *testing.T) {
	const inToto, dsse = "application/vnd.in-toto+json", "application/vnd.dsse.envelope.v1+json"
	urlSafe := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(base64.StdEncoding.EncodeToString([]byte(statementOf(imageDigest) + "  ~~~???>>>"[:2])))
	for _, test := range []struct {
		name, text string
		subject    content.Digest
		want       string
		err        error
	}{
		{"statement", statementOf(imageDigest), imageDigest, inToto, nil},
		{"statement of the old version", strings.Replace(statementOf(imageDigest), "/v1", "/v0.1", 1), imageDigest, inToto, nil},
		{"second subject", statementOf(otherDigest, imageDigest), imageDigest, inToto, nil},
		{"sha512 subject", statementOf(digest.SHA512.FromString("x")), digest.SHA512.FromString("x"), inToto, nil},
		{"envelope", envelopeOf(inToto, statementOf(imageDigest)), imageDigest, dsse, nil},
		{"envelope in the other alphabet", `{"payloadType":"` + inToto + `","payload":"` + urlSafe + `","signatures":[{"sig":"x"}]}`, imageDigest, dsse, nil},
		{"any subject", statementOf(otherDigest), "", inToto, nil},
		{"about another", statementOf(otherDigest), imageDigest, "", content.ErrInvalid},
		{"envelope about another", envelopeOf(inToto, statementOf(otherDigest)), imageDigest, "", content.ErrInvalid},
		{"about nothing", statementOf(), imageDigest, "", content.ErrInvalid},
		{"another key in capitals", strings.Replace(statementOf(otherDigest), `"predicate":{`, `"Subject":[{"digest":{"sha256":"`+imageDigest.Encoded()+`"}}],"predicate":{`, 1), imageDigest, "", content.ErrInvalid},
		{"two subjects lists", strings.Replace(statementOf(otherDigest), `"predicate":{`, `"subject":[],"predicate":{`, 1), "", "", content.ErrCorrupt},
		{"two digests in one", `{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{},"Digest":{}}]}`, "", "", content.ErrCorrupt},
		{"envelope of something else", envelopeOf("text/plain", statementOf(imageDigest)), imageDigest, "", content.ErrUnsupported},
		{"envelope unsigned", `{"payloadType":"` + inToto + `","payload":"e30=","signatures":[]}`, "", "", content.ErrCorrupt},
		{"envelope of rubbish", `{"payloadType":"` + inToto + `","payload":"%%%","signatures":[{"sig":"x"}]}`, "", "", content.ErrCorrupt},
		{"statement of another type", strings.Replace(statementOf(imageDigest), "in-toto.io", "example.com", 1), "", "", content.ErrUnsupported},
		{"no predicate", `{"_type":"https://in-toto.io/Statement/v1","subject":[]}`, "", "", content.ErrCorrupt},
		{"both", `{"_type":"https://in-toto.io/Statement/v1","payloadType":"x"}`, "", "", content.ErrUnsupported},
		{"lines", statementOf(imageDigest) + "\n" + statementOf(imageDigest), "", "", content.ErrCorrupt},
		{"neither", `{"hello":"world"}`, "", "", content.ErrUnsupported},
		{"no json", `hello`, "", "", content.ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := testkit.File(t, "a.json", []byte(test.text))
			o, err := artifact.Attestation(path, test.subject)
			wantError(t, err, test.err, path)
			if err != nil {
				return
			}
			if o.Type != test.want || o.Files[0].MediaType != test.want ||
				o.Annotations["in-toto.io/predicate-type"] != spdxPredicate || o.Files[0].Annotations["in-toto.io/predicate-type"] != spdxPredicate {
				t.Errorf("%+v, want %s", o, test.want)
			}
		})
	}
}

func TestAttestationSaysWhoseItIs(t *testing.T) {
	path := testkit.File(t, "a.json", []byte(statementOf(otherDigest)))
	_, err := artifact.Attestation(path, imageDigest)
	for _, d := range []content.Digest{imageDigest, otherDigest} {
		if err == nil || !strings.Contains(err.Error(), d.String()) {
			t.Errorf("error %v does not name %s", err, d)
		}
	}
}

func TestSigstoreBundle(t *testing.T) {
	const v3 = "application/vnd.dev.sigstore.bundle.v0.3+json"
	dsse := `"dsseEnvelope":` + envelopeOf("application/vnd.in-toto+json", statementOf(imageDigest))
	for _, test := range []struct {
		name, text, what string
		err              error
	}{
		{"attestation", bundleOf(v3, dsse), "dsse-envelope", nil},
		{"signature", bundleOf(v3, messageOf(imageDigest)), "message-signature", nil},
		{"first form of 0.3", bundleOf("application/vnd.dev.sigstore.bundle+json;version=0.3", dsse), "dsse-envelope", nil},
		{"version 0.2", bundleOf("application/vnd.dev.sigstore.bundle+json;version=0.2", dsse), "", content.ErrUnsupported},
		{"another type", bundleOf("application/json", dsse), "", content.ErrUnsupported},
		{"no type", `{` + dsse + `}`, "", content.ErrUnsupported},
		{"signature of another", bundleOf(v3, messageOf(otherDigest)), "", content.ErrInvalid},
		{"signature of nothing", bundleOf(v3, `"messageSignature":{"signature":"x"}`), "", content.ErrInvalid},
		{"attestation of another", bundleOf(v3, strings.Replace(dsse, envelopeOf("application/vnd.in-toto+json", statementOf(imageDigest)), envelopeOf("application/vnd.in-toto+json", statementOf(otherDigest)), 1)), "", content.ErrInvalid},
		{"both", bundleOf(v3, dsse+","+messageOf(imageDigest)), "", content.ErrCorrupt},
		{"neither", bundleOf(v3, `"x":1`), "", content.ErrCorrupt},
		{"not signed", bundleOf(v3, `"messageSignature":{}`), "", content.ErrCorrupt},
		{"no json", `hello`, "", content.ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := testkit.File(t, "b.sigstore.json", []byte(test.text))
			o, err := artifact.SigstoreBundle(path, imageDigest)
			wantError(t, err, test.err, path)
			if err != nil {
				return
			}
			predicate := ""
			if test.what == "dsse-envelope" {
				predicate = spdxPredicate
			}
			if o.Type != v3 || o.Files[0].MediaType != v3 || o.Annotations["dev.sigstore.bundle.content"] != test.what ||
				o.Annotations["dev.sigstore.bundle.predicateType"] != predicate {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestPresetBytes attaches what was looked at, though the file is gone.
func TestPresetBytes(t *testing.T) {
	l, subject := hello(t)
	path := testkit.File(t, "a.json", []byte(statementOf(subject.Digest)))
	o, err := artifact.Attestation(path, subject.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	done := attach(t, l, subject, o)
	if done.ArtifactType != "application/vnd.in-toto+json" || done.Annotations["in-toto.io/predicate-type"] != spdxPredicate || !done.New {
		t.Errorf("%+v", done)
	}
}

func FuzzSBOM(f *testing.F) {
	f.Add([]byte(`{"spdxVersion":"SPDX-2.3","a":[{}]}`))
	f.Add([]byte(`<bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>`))
	f.Add([]byte("SPDXVersion: SPDX-2.3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := artifact.SBOM(testkit.File(t, "x", data))
		if (err == nil) != artifact.IsMediaType(o.Type) {
			t.Errorf("%q: %v", o.Type, err)
		}
	})
}

func FuzzAttestation(f *testing.F) {
	f.Add([]byte(statementOf(imageDigest)))
	f.Add([]byte(envelopeOf("application/vnd.in-toto+json", statementOf(imageDigest))))
	f.Add([]byte(bundleOf(artifact.MediaTypeBundle, messageOf(imageDigest))))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := testkit.File(t, "x", data)
		if o, err := artifact.Attestation(path, imageDigest); err == nil && (!artifact.IsMediaType(o.Type) || o.Annotations[artifact.AnnotationPredicate] == "") {
			t.Errorf("taken as %+v", o)
		}
		if o, err := artifact.SigstoreBundle(path, imageDigest); err == nil && (!artifact.IsMediaType(o.Type) || o.Annotations[artifact.AnnotationBundleContent] == "") {
			t.Errorf("taken as %+v", o)
		}
	})
}
