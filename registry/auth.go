package registry

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/ocilayout/ocilayout/content"
)

// credential finds what the user is called at ref, whose API is at the address want: by
// the options, else in the first file that knows the repository, one above it, or the
// registry.
func (o Options) credential(ref Reference, want string) auth.CredentialFunc {
	return func(ctx context.Context, host string) (auth.Credential, error) {
		if host != want {
			return auth.EmptyCredential, nil
		}
		if o.Username != "" {
			return auth.Credential{Username: o.Username, Password: o.Password}, nil
		}
		if o.Helper != "" {
			return o.askHelper(ctx, ref.Host)
		}
		for _, path := range o.authFiles() {
			store, err := credentials.NewStore(path, credentials.StoreOptions{})
			if err != nil {
				return auth.EmptyCredential, &credentialError{path, err}
			}
			for _, key := range credentialKeys(ref) {
				found, err := store.Get(ctx, key)
				if err != nil {
					return auth.EmptyCredential, &credentialError{path, err}
				}
				if found != auth.EmptyCredential {
					return found, nil
				}
			}
		}
		return auth.EmptyCredential, nil
	}
}

// helperPrefix is what the programs begin with that docker asks for credentials.
const helperPrefix = "docker-credential-"

// askHelper asks the program for the credentials for a host. None is no error.
func (o Options) askHelper(ctx context.Context, host string) (auth.Credential, error) {
	name, ok := strings.CutPrefix(o.Helper, helperPrefix)
	if !ok || strings.ContainsAny(name, `/\`) {
		return auth.EmptyCredential, content.At(host, content.Errorf(content.ErrInvalid, "the helper %q is no %sNAME", o.Helper, helperPrefix))
	}
	key := o.HelperHost
	if key == "" {
		key = credentials.ServerAddressFromRegistry(host)
	}
	found, err := credentials.NewNativeStore(name).Get(ctx, key)
	if err != nil {
		return auth.EmptyCredential, &credentialError{o.Helper, err}
	}
	return found, nil
}

// A credentialError says that a file, or the helper that it names, does not say what the
// user is called.
type credentialError struct {
	from string
	err  error
}

func (e *credentialError) Error() string {
	text, _, _ := strings.Cut(e.err.Error(), "\n") // of what a helper says
	return e.from + ": credentials: " + text
}

func (e *credentialError) Is(target error) bool { return target == ErrUnauthorized }

// credentialKeys are the names under which credentials for ref may be stored, the
// closest first: podman's files know repositories.
func credentialKeys(ref Reference) []string {
	var keys []string
	for name := ref.Name(); strings.Contains(name, "/") && ref.Repository != ""; name = name[:strings.LastIndexByte(name, '/')] {
		keys = append(keys, name)
	}
	keys = append(keys, credentials.ServerAddressFromRegistry(ref.Host))
	if ref.Host == "docker.io" {
		keys = append(keys, ref.Host)
	}
	return keys
}

// authFiles lists the files with credentials, in the order in which they are asked.
func (o Options) authFiles() []string {
	if o.NoAuthFiles {
		return nil
	}
	if o.AuthFile != "" {
		return []string{o.AuthFile}
	}
	if path := os.Getenv("REGISTRY_AUTH_FILE"); path != "" {
		return []string{path}
	}
	var files []string
	home, err := os.UserHomeDir()
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		files = append(files, filepath.Join(dir, "config.json"))
	} else if err == nil {
		files = append(files, filepath.Join(home, ".docker", "config.json"))
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && runtime.GOOS == "linux" {
		files = append(files, filepath.Join(dir, "containers", "auth.json"))
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		files = append(files, filepath.Join(dir, "containers", "auth.json"))
	} else if err == nil {
		files = append(files, filepath.Join(home, ".config", "containers", "auth.json"))
	}
	return files
}

// store opens the file in which Login stores: a credential helper that it names is
// used.
func (o Options) store() (*credentials.DynamicStore, error) {
	files := o.authFiles()
	if len(files) == 0 {
		return nil, content.Errorf(content.ErrNotFound, "there is no home directory for credentials")
	}
	store, err := credentials.NewStore(files[0], credentials.StoreOptions{AllowPlaintextPut: true})
	return store, content.At(files[0], err)
}

// Login asks the registry called host whether it takes o.Username and o.Password, and
// stores them if it does: with the credential helper that the file names, else in the
// file itself. It returns the file's path.
func Login(ctx context.Context, host string, o Options) (path string, err error) {
	if o.Username == "" || o.Password == "" {
		return "", content.Errorf(content.ErrInvalid, "%s: a user and a password are needed", host)
	}
	store, err := o.store()
	if err != nil {
		return "", err
	}
	repo, err := NewSession(o, nil).Open(ctx, Reference{Host: host})
	if err != nil {
		return "", err
	}
	if err := repo.c.ping(ctx); err != nil {
		return "", content.At(host, err)
	}
	cred := auth.Credential{Username: o.Username, Password: o.Password}
	if err := store.Put(ctx, credentials.ServerAddressFromRegistry(host), cred); err != nil {
		return "", content.At(store.ConfigPath(), err)
	}
	return store.ConfigPath(), nil
}

// Logout removes the credentials for the registry called host from every file that
// is asked for them, and returns the files that had some. None is ErrNotFound.
func Logout(ctx context.Context, host string, o Options) ([]string, error) {
	var from []string
	var errs []error
	key := credentials.ServerAddressFromRegistry(host)
	for _, path := range o.authFiles() {
		store, err := credentials.NewStore(path, credentials.StoreOptions{})
		if err != nil {
			errs = append(errs, content.At(path, err))
			continue
		}
		found, err := store.Get(ctx, key)
		if err == nil && found == auth.EmptyCredential {
			continue
		}
		if err := errors.Join(err, store.Delete(ctx, key)); err != nil {
			errs = append(errs, content.At(path, err))
			continue
		}
		from = append(from, path)
	}
	if len(from) == 0 && len(errs) == 0 {
		return nil, content.Errorf(content.ErrNotFound, "%s: no credentials are stored", host)
	}
	return from, errors.Join(errs...)
}
