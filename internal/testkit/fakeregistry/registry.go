// Package fakeregistry is a registry in memory (distribution-spec v1.1) for tests: it
// counts what it is asked, and does wrong what a test wants done wrong.
package fakeregistry

import (
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// A Registry is a running one. Fields are set before the first request.
type Registry struct {
	*httptest.Server
	// NoReferrers leaves out the referrers API.
	NoReferrers bool
	// Sparse takes indexes whose children are not there.
	Sparse bool
	// NoDelete refuses to delete; TakesAll deletes what a tag points to with the tag.
	NoDelete, TakesAll bool
	// User and Password, if set, are asked for by the basic scheme.
	User, Password string
	// Fault, if set, may answer a request in place of the registry.
	Fault func(w http.ResponseWriter, r *http.Request) (done bool)

	mu        sync.Mutex
	repos     map[string]*repo
	uploads   int
	requests  []string
	presented []string
	whole     int
	hosts     []string
	sent      int64
}

type repo struct {
	blobs     map[string][]byte
	manifests map[string]manifest // by digest
	tags      map[string]string
}

type manifest struct {
	mediaType string
	data      []byte
}

// New starts a registry over plain HTTP, which ends with the test.
func New(t testing.TB) *Registry { return start(t, (*httptest.Server).Start) }

// NewTLS starts a registry with a certificate that nobody trusts.
func NewTLS(t testing.TB) *Registry { return start(t, (*httptest.Server).StartTLS) }

func start(t testing.TB, run func(*httptest.Server)) *Registry {
	t.Helper()
	reg := begin(run)
	t.Cleanup(reg.Close)
	return reg
}

// Start starts a registry over plain HTTP that the caller closes.
func Start() *Registry { return begin((*httptest.Server).Start) }

// StartTLS starts a registry with a certificate that nobody trusts, and that the caller
// closes.
func StartTLS() *Registry { return begin((*httptest.Server).StartTLS) }

func begin(run func(*httptest.Server)) *Registry {
	reg := &Registry{repos: map[string]*repo{}}
	reg.Server = httptest.NewUnstartedServer(reg)
	reg.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that turn away
	run(reg.Server)
	return reg
}

// Host is its address.
func (reg *Registry) Host() string {
	_, host, _ := strings.Cut(reg.URL, "://")
	return host
}

// Requests lists what was asked since the last call, as "METHOD PATH".
func (reg *Registry) Requests() []string {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	list := reg.requests
	reg.requests = nil
	return list
}

// Presented lists the credentials that came along.
func (reg *Registry) Presented() []string {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return slices.Clone(reg.presented)
}

// Whole is how many uploads came to their end and were of other bytes than they said.
func (reg *Registry) Whole() int {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return reg.whole
}

// Hosts lists what requests said is the registry's name.
func (reg *Registry) Hosts() []string {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return slices.Clone(reg.hosts)
}

// Sent is how many bytes of blobs were sent since the last call, but by a Fault.
func (reg *Registry) Sent() int64 {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	n := reg.sent
	reg.sent = 0
	return n
}

// Manifest returns the manifest at a tag or digest, or nil.
func (reg *Registry) Manifest(name, point string) []byte {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	m, _ := reg.repo(name).find(point)
	return m.data
}

// Tags lists the tags of a repository, sorted.
func (reg *Registry) Tags(name string) []string {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return reg.repo(name).tagList()
}

func (reg *Registry) repo(name string) *repo {
	if reg.repos[name] == nil {
		reg.repos[name] = &repo{map[string][]byte{}, map[string]manifest{}, map[string]string{}}
	}
	return reg.repos[name]
}

func (r *repo) find(point string) (manifest, string) {
	if d, ok := r.tags[point]; ok {
		point = d
	}
	return r.manifests[point], point
}

func (r *repo) tagList() []string {
	tags := []string{}
	for tag := range r.tags {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	return tags
}

// SetFault sets Fault while another process speaks to the registry, or may.
func (reg *Registry) SetFault(fault func(w http.ResponseWriter, r *http.Request) bool) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	reg.Fault = fault
}

// ServeHTTP answers a request.
func (reg *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reg.mu.Lock()
	reg.requests = append(reg.requests, r.Method+" "+r.URL.Path)
	reg.hosts = append(reg.hosts, r.Host)
	if auth := r.Header.Get("Authorization"); auth != "" {
		reg.presented = append(reg.presented, auth)
	}
	fault := reg.Fault
	reg.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	if user, password, _ := r.BasicAuth(); reg.User != "" && (user != reg.User || password != reg.Password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if path == "" {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	reg.mu.Lock()
	defer reg.mu.Unlock()
	if path == "_catalog" {
		reg.catalog(w, r)
		return
	}
	for _, part := range []struct {
		sep  string
		does func(w http.ResponseWriter, r *http.Request, name, rest string, body []byte)
	}{{"/blobs/uploads/", reg.upload}, {"/blobs/", reg.blob}, {"/manifests/", reg.manifest}, {"/referrers/", reg.referrers}, {"/tags/list", reg.tags}} {
		if name, rest, ok := strings.Cut(path, part.sep); ok {
			part.does(w, r, name, rest, body)
			return
		}
	}
	refuse(w, http.StatusNotFound, "NAME_UNKNOWN")
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"errors":[{"code":"`+code+`","message":"no"}]}`)
}

func (reg *Registry) upload(w http.ResponseWriter, r *http.Request, name, _ string, body []byte) {
	q := r.URL.Query()
	if r.Method == http.MethodPost {
		if from := reg.repos[q.Get("from")]; from != nil && from.blobs[q.Get("mount")] != nil {
			reg.repo(name).blobs[q.Get("mount")] = from.blobs[q.Get("mount")]
			w.WriteHeader(http.StatusCreated)
			return
		}
		reg.uploads++
		w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/"+strconv.Itoa(reg.uploads)+"?state=x")
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if d := q.Get("digest"); digest.FromBytes(body).String() != d || q.Get("state") != "x" {
		reg.whole++
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	reg.repo(name).blobs[q.Get("digest")] = body
	w.WriteHeader(http.StatusCreated)
}

func (reg *Registry) blob(w http.ResponseWriter, r *http.Request, name, d string, _ []byte) {
	data, ok := reg.repo(name).blobs[d]
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	from, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
	if from > 0 && from < len(data) {
		w.Header().Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(len(data)-1)+"/"+strconv.Itoa(len(data)))
		w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
		w.WriteHeader(http.StatusPartialContent)
		data = data[from:]
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	}
	n, _ := w.Write(data)
	reg.sent += int64(n)
}

func (reg *Registry) manifest(w http.ResponseWriter, r *http.Request, name, point string, body []byte) {
	repo := reg.repo(name)
	if r.Method == http.MethodPut {
		reg.take(w, r.Header.Get("Content-Type"), repo, point, body)
		return
	}
	m, d := repo.find(point)
	if r.Method == http.MethodDelete && reg.NoDelete {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return
	}
	if m.data == nil {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
		return
	}
	if r.Method == http.MethodDelete {
		reg.remove(repo, point, d)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", m.mediaType)
	w.Header().Set("Docker-Content-Digest", d)
	w.Header().Set("Content-Length", strconv.Itoa(len(m.data)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(m.data)
	}
}

// remove deletes a tag, or a manifest with its tags.
func (reg *Registry) remove(repo *repo, point, d string) {
	if delete(repo.tags, point); point != d && !reg.TakesAll {
		return
	}
	delete(repo.manifests, d)
	for tag, of := range repo.tags {
		if of == d {
			delete(repo.tags, tag)
		}
	}
}

// catalog gives two repositories with each request, so that pages are tested.
func (reg *Registry) catalog(w http.ResponseWriter, r *http.Request) {
	names := slices.Sorted(maps.Keys(reg.repos))
	if last := r.URL.Query().Get("last"); last != "" {
		names = names[slices.Index(names, last)+1:]
	}
	if len(names) > 2 {
		names = names[:2]
		w.Header().Set("Link", "</v2/_catalog?n=2&last="+names[1]+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"repositories": names})
}

// take stores a manifest if all that it needs is there.
func (reg *Registry) take(w http.ResponseWriter, mediaType string, repo *repo, point string, body []byte) {
	var m struct {
		Config            *ocispec.Descriptor
		Layers, Manifests []ocispec.Descriptor
		Subject           *ocispec.Descriptor
	}
	d := digest.FromBytes(body).String()
	if json.Unmarshal(body, &m) != nil || strings.Contains(point, ":") && point != d {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID")
		return
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for _, layer := range m.Layers {
		if _, ok := repo.blobs[layer.Digest.String()]; !ok {
			refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
			return
		}
	}
	for _, child := range m.Manifests {
		if _, ok := repo.manifests[child.Digest.String()]; !ok && !reg.Sparse {
			refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
			return
		}
	}
	repo.manifests[d] = manifest{mediaType, body}
	if point != d {
		repo.tags[point] = d
	}
	if m.Subject != nil && !reg.NoReferrers {
		w.Header().Set("OCI-Subject", m.Subject.Digest.String())
	}
	w.Header().Set("Docker-Content-Digest", d)
	w.WriteHeader(http.StatusCreated)
}

func (reg *Registry) referrers(w http.ResponseWriter, _ *http.Request, name, subject string, _ []byte) {
	if reg.NoReferrers {
		refuse(w, http.StatusNotFound, "UNSUPPORTED")
		return
	}
	list := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	list.SchemaVersion = 2
	repo := reg.repo(name)
	for d, m := range repo.manifests {
		var has ocispec.Manifest
		if json.Unmarshal(m.data, &has) == nil && has.Subject != nil && has.Subject.Digest.String() == subject {
			list.Manifests = append(list.Manifests, ocispec.Descriptor{MediaType: m.mediaType, Digest: digest.Digest(d), Size: int64(len(m.data)), ArtifactType: has.ArtifactType, Annotations: has.Annotations})
		}
	}
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	_ = json.NewEncoder(w).Encode(list)
}

// tags gives two tags with each request, so that pages are tested.
func (reg *Registry) tags(w http.ResponseWriter, r *http.Request, name, _ string, _ []byte) {
	if reg.repos[name] == nil {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN")
		return
	}
	tags := reg.repo(name).tagList()
	if last := r.URL.Query().Get("last"); last != "" {
		tags = tags[slices.Index(tags, last)+1:]
	}
	if len(tags) > 2 {
		tags = tags[:2]
		w.Header().Set("Link", "</v2/"+name+"/tags/list?n=2&last="+tags[1]+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": tags})
}
