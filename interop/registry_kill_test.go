package interop

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// A meter stands before a registry and counts the bytes of blobs that come from it. At
// pause bytes, if that is not 0, no more come until resume is closed.
type meter struct {
	mu      sync.Mutex
	bytes   int64
	pause   int64
	reached chan struct{}
	resume  chan struct{}
}

// metered starts the meter before a registry and returns its address.
func metered(t testing.TB, m *meter, registry string) string {
	t.Helper()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: registry})
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if strings.Contains(resp.Request.URL.Path, "/blobs/sha256:") {
				resp.Body = &metering{resp.Body, m}
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}, // of clients that are gone
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

type metering struct {
	io.ReadCloser
	m *meter
}

func (b *metering) Read(p []byte) (int, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if b.m.pause > 0 && b.m.bytes >= b.m.pause {
		b.m.pause = 0
		close(b.m.reached)
		<-b.m.resume
	}
	n, err := b.ReadCloser.Read(p)
	b.m.bytes += int64(n)
	return n, err
}

// TestPullKilled kills a pull at 60 % of a blob of 200 MB. The next one fetches no more
// than 45 % of it.
func TestPullKilled(t *testing.T) {
	const size = 200_000_000
	src, big, dst := distribution(t), file(t, "big"), newLayout(t)
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{1}), size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	oras := testkit.Client(t, "oras")
	run(t, oras, "push", "--no-tty", "--plain-http", "--disable-path-validation", src.address+"/big:v1", "--artifact-type", "x/big", big+":x/blob")
	if err := os.Remove(big); err != nil {
		t.Fatal(err)
	}

	first := &meter{pause: size * 60 / 100, reached: make(chan struct{}), resume: make(chan struct{})}
	cmd := exec.Command(ocilayout(t), "pull", metered(t, first, src.address)+"/big:v1", dst+":big")
	ended, err := started(cmd)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.reached:
	case <-ended:
		t.Fatalf("the pull ended by itself: %v", cmd.ProcessState)
	}
	time.Sleep(2 * time.Second) // what is under way arrives
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	close(first.resume)

	var second meter
	us(t, "pull", metered(t, &second, src.address)+"/big:v1", dst+":big")
	if second.bytes > size*45/100 {
		t.Errorf("fetched again %d bytes of %d", second.bytes, size)
	}
	wantSame(t, "digest", digest(t, dst+":big"), strings.TrimSpace(run(t, oras, "resolve", "--plain-http", src.address+"/big:v1")))
}
