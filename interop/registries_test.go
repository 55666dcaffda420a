package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// A server is a private registry, with the flags by which clients reach it.
type server struct {
	address            string
	ours, oras, regctl []string
	// mistypes is set where the referrers API gives the media type of an artifact's
	// config for the artifact's type.
	mistypes bool
}

// plainServer is a registry over plain HTTP.
func plainServer(address string) server {
	return server{address: address, oras: []string{"--plain-http"}, regctl: []string{"--host", "reg=" + address + ",tls=disabled"}}
}

// distribution is distribution's registry, Debian's, which is an older one, and
// go-containerregistry's: the last has the referrers API, and keeps all in memory.
func distribution(t testing.TB) server {
	return plainServer(registry(t, testkit.Client(t, "registry")))
}

func debianRegistry(t testing.TB) server {
	return plainServer(registry(t, testkit.Client(t, "docker-registry")))
}

func referrersRegistry(t testing.TB) server {
	s := plainServer(listening(t, `listening on 127\.0\.0\.1:(\d+)`, testkit.Client(t, "referrers-registry")))
	s.mistypes = true
	return s
}

// lockedRegistry is distribution's by TLS, with a certificate that clients are told
// of, for a user with a password.
func lockedRegistry(t testing.TB) server {
	program, dir := testkit.Client(t, "registry"), t.TempDir()
	certificate, key := certified(t, dir)
	// The hash is bcrypt's of the password.
	write(t, filepath.Join(dir, "users"), "user:$2a$04$LM/gIeHZN1c1Yv/sshPtDuGjvqYOJ.bwTkeCE/3N.tuZKHB8zVrZW\n")
	address := configured(t, program, fmt.Sprintf("auth: {htpasswd: {realm: here, path: %q}}\n", filepath.Join(dir, "users")),
		fmt.Sprintf(", tls: {certificate: %q, key: %q}", certificate, key))
	login := filepath.Join(dir, "auth.json")
	write(t, login, `{"auths":{"`+address+`":{"auth":"dXNlcjpvcGVuIHNlc2FtZQ=="}}}`)
	return server{
		address: address,
		ours:    []string{"--ca-file", certificate, "--authfile", login},
		oras:    []string{"--ca-file", certificate, "--registry-config", login},
		regctl:  []string{"--host", "reg=" + address + ",tls=insecure,user=user,pass=open sesame"},
	}
}

// certified writes a key, and a certificate by itself for 127.0.0.1.
func certified(t testing.TB, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}
