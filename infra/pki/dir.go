package pki

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// Dir stores bundles in a directory. The authorities lie in it as ca.crt,
// ca.key, internal-ca.crt and internal-ca.key; every other bundle has a
// directory of its own that can be given to one container alone:
//
//	dictionary/tls.crt  tls.key  ca.crt  internal-ca.crt
//
// The directory authorities has the certificates of the authorities alone, for those who
// only check others. Random secrets are files of the directory secrets, or of one below
// it, where the plan names them so: git/hook.
//
// Keys have mode 0600. Each file is replaced by a rename, so a reader sees the
// old or the new one; for the moment between two renames the key may be ahead
// of its certificate, which internal/certs notices and waits out.
type Dir string

// file is one file of a bundle.
type file struct {
	name    string
	content *[]byte
	mode    fs.FileMode
}

// files lists a bundle's files in the order in which they are written: the
// certificate last, because its presence says that the bundle exists.
func (d Dir) files(name string, b *Bundle) []file {
	if name == DevelopmentCA || name == InternalCA {
		return []file{{filepath.Join("authorities", name+".crt"), &b.Cert, 0o644}, {name + ".key", &b.Key, 0o600}, {name + ".crt", &b.Cert, 0o644}}
	}
	if strings.HasPrefix(name, secretsPrefix) {
		return []file{{name, &b.Random, 0o600}}
	}
	return []file{
		{filepath.Join(name, "ca.crt"), &b.CA, 0o644},
		{filepath.Join(name, "internal-ca.crt"), &b.Internal, 0o644},
		{filepath.Join(name, "tls.key"), &b.Key, 0o600},
		{filepath.Join(name, "tls.crt"), &b.Cert, 0o644},
	}
}

// Load reads a bundle. A file other than the certificate that is missing is
// read as empty, which makes the bundle one to be renewed. A key that others
// may read is locked up again.
func (d Dir) Load(_ context.Context, name string) (Bundle, error) {
	var b Bundle
	files := d.files(name, &b)
	for i, f := range files {
		path := filepath.Join(string(d), f.name)
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			if i == len(files)-1 {
				return Bundle{}, ErrAbsent
			}
			continue
		}
		if err != nil {
			return Bundle{}, err
		}
		*f.content = content
		if f.mode == 0o600 {
			if err := lockUp(path); err != nil {
				return Bundle{}, err
			}
		}
	}
	return b, nil
}

func lockUp(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(path, 0o600)
}

// Save writes a bundle.
func (d Dir) Save(_ context.Context, name string, b Bundle) error {
	for _, f := range d.files(name, &b) {
		path := filepath.Join(string(d), f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := atomicfile.WriteDurable(path, *f.content, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// Lock keeps other processes that call Lock out of the directory until unlock
// is called. It makes the directory where there is none.
func (d Dir) Lock() (unlock func(), err error) {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(string(d), ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return func() { f.Close() }, nil
}

// EnsureDir is Ensure on a directory, with other processes locked out.
func EnsureDir(ctx context.Context, dir string, plan Plan) ([]Report, error) {
	unlock, err := Dir(dir).Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return Ensure(ctx, Dir(dir), plan)
}
