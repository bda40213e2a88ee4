package download

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// final is where the finished file lies.
func (d *Downloader) final() string { return filepath.Join(d.file.Dir, d.file.SHA256+".bin") }

// create makes a new file in the directory, or in memory.
func (d *Downloader) create() (*os.File, error) {
	if d.file.Dir == "" {
		return inMemory(d.file.SHA256)
	}
	if err := os.MkdirAll(d.file.Dir, 0o755); err != nil {
		return nil, err
	}
	return os.CreateTemp(d.file.Dir, d.file.SHA256+".*.tmp")
}

// drop removes a file of create.
func (d *Downloader) drop(f *os.File) error {
	if d.file.Dir == "" {
		return f.Close()
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// publish gives a checked file its final name. When another process was faster
// its file is used, so that all map the same pages.
func (d *Downloader) publish(f *os.File) (*os.File, error) {
	if d.file.Dir == "" {
		return f, nil
	}
	if there, err := d.cached(); err == nil {
		return there.File, d.drop(f)
	}
	if err := os.Rename(f.Name(), d.final()); err != nil {
		return nil, errors.Join(err, d.drop(f))
	}
	d.prune()
	// Opened again for reading only. What is open is what was checked: the name
	// was given by a rename of this very file.
	kept, err := os.Open(d.final())
	return kept, errors.Join(err, f.Close())
}

// The names in the directory that are ours.
var (
	kept       = regexp.MustCompile(`^[0-9a-f]{64}\.bin$`)
	unfinished = regexp.MustCompile(`^[0-9a-f]{64}\..*(tmp|part)$`)
)

// old tells that nobody is still writing a file.
func old(e os.DirEntry) bool {
	info, err := e.Info()
	return err == nil && time.Since(info.ModTime()) > time.Hour
}

// prune removes finished files of other digests, since the directory holds one
// version, and what killed processes left unfinished. Processes that have mapped
// a file keep it until they close it.
func (d *Downloader) prune() {
	entries, _ := os.ReadDir(d.file.Dir)
	for _, e := range entries {
		name := filepath.Join(d.file.Dir, e.Name())
		switch {
		case kept.MatchString(e.Name()) && name != d.final():
		case unfinished.MatchString(e.Name()) && old(e):
		default:
			continue
		}
		_ = os.Remove(name) // somebody else was faster, or the next time
	}
}

// part is what has arrived of a file. A nil part can be closed.
type part struct {
	file      *os.File
	size      int64
	validator string // an entity tag of which these bytes are known to be
	remove    string // its name, when it is to be removed at the end
}

// openPart opens what an earlier transfer left. When another process is at it,
// this one starts its own.
func (d *Downloader) openPart() (*part, error) {
	if d.file.Dir == "" {
		f, err := inMemory(d.file.SHA256 + ".part")
		return &part{file: f}, err
	}
	if err := os.MkdirAll(d.file.Dir, 0o755); err != nil {
		return nil, err
	}
	name := filepath.Join(d.file.Dir, d.file.SHA256+".part")
	if d.packed() {
		name = filepath.Join(d.file.Dir, d.file.SHA256+".gz.part")
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if !locked(f) {
		private, err := d.create()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return &part{file: private, remove: private.Name()}, f.Close()
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &part{file: f, size: size}, nil
}

// reset throws away what has arrived.
func (p *part) reset() error {
	p.size, p.validator = 0, ""
	_, err := p.file.Seek(0, io.SeekStart)
	return errors.Join(err, p.file.Truncate(0))
}

// append writes what follows, and calls alive for each piece of it.
func (p *part) append(body io.Reader, alive func()) error {
	if _, err := p.file.Seek(p.size, io.SeekStart); err != nil {
		return err
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			alive()
			written, failed := p.file.Write(buffer[:n])
			p.size += int64(written)
			if failed != nil {
				return fmt.Errorf("keep what arrived: %w", failed)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// discard removes the part.
func (p *part) discard() {
	if p.remove == "" {
		p.remove = p.file.Name()
	}
	p.close()
}

// close releases the part; what has arrived stays unless it is private.
func (p *part) close() {
	if p == nil {
		return
	}
	if p.remove != "" {
		_ = os.Remove(p.remove) // before the lock ends, so that nobody appends to it
	}
	_ = p.file.Close()
}
