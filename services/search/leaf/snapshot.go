package leaf

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/index"
)

// A snapshot is a file with all documents of a shard at an epoch:
//
//	magic · header as a line of JSON · each document: offset, length (uvarints), JSON · SHA-256 of all before
//
// It is written under another name, synced and renamed: there is a whole one or none.
const (
	snapshotMagic  = "flotilla search snapshot 1\n"
	snapshotName   = "snapshot"
	longestHeader  = 1 << 20
	longestEntry   = 1 << 20
	mostDocuments  = 1 << 28
	snapshotBuffer = 256 << 10
)

// header says what a snapshot is of.
type header struct {
	Topic     string    `json:"topic"`
	Identity  string    `json:"identity"` // of the topic among all of its name
	Partition int32     `json:"partition"`
	Epoch     int64     `json:"epoch"`
	Current   time.Time `json:"current"` // when the epoch was the end of the partition
	Documents int64     `json:"documents"`
	Marks     []string  `json:"marks"`
	Sealed    bool      `json:"sealed,omitempty"` // the partition ends before the epoch
}

// writeSnapshot writes the documents of a view.
func writeSnapshot(dir string, h header, view *index.View) error {
	path := filepath.Join(dir, snapshotName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = fillSnapshot(f, h, view)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return atomicfile.SyncDir(dir)
}

func fillSnapshot(f io.Writer, h header, view *index.View) error {
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), snapshotBuffer)
	head, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, _ = w.WriteString(snapshotMagic) // a failure of a buffered writer stays until Flush
	_, _ = w.Write(append(head, '\n'))
	var (
		entry  bytes.Buffer
		failed error
		number int64
	)
	encode := json.NewEncoder(&entry)
	encode.SetEscapeHTML(false)
	err = view.Dump(func(c index.Change) bool {
		entry.Reset()
		if failed = encode.Encode(c.Document); failed != nil {
			return false
		}
		numbers := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(c.Offset)), uint64(entry.Len()))
		_, _ = w.Write(numbers)
		_, failed = w.Write(entry.Bytes())
		number++
		return failed == nil
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if number != h.Documents {
		return fmt.Errorf("%d documents were dumped, the index has %d", number, h.Documents)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = f.Write(sum.Sum(nil))
	return err
}

// readSnapshot fills an index with the snapshot of a folder. fits decides by the header whether it is wanted. After an error the index is of
// no use.
func readSnapshot(dir string, into *index.Index, fits func(header) error) (header, error) {
	f, err := os.Open(filepath.Join(dir, snapshotName))
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	return fillFrom(f, into, fits)
}

// fillFrom fills an index from what may be a snapshot. It believes no length: memory is taken for what was read.
func fillFrom(from io.Reader, into *index.Index, fits func(header) error) (header, error) {
	r := &summed{r: bufio.NewReaderSize(from, snapshotBuffer), sum: sha256.New()}
	h, err := r.header()
	if err == nil {
		err = fits(h)
	}
	if err != nil {
		return h, err
	}
	err = into.Restore(h.Epoch, func(yield func(index.Change, error) bool) {
		for range h.Documents {
			c, err := r.entry()
			if !yield(c, err) || err != nil {
				return
			}
		}
		if err := r.end(); err != nil {
			yield(index.Change{}, err)
		}
	})
	return h, err
}

// summed reads a snapshot and sums what was read.
type summed struct {
	r   *bufio.Reader
	sum hash.Hash
}

func (s *summed) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.sum.Write(b[:n])
	return n, err
}

func (s *summed) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.sum.Write([]byte{b})
	}
	return b, err
}

func (s *summed) header() (h header, err error) {
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(s, magic); err != nil || string(magic) != snapshotMagic {
		return h, errors.New("it is no snapshot of this version")
	}
	var line []byte
	for {
		b, err := s.ReadByte()
		if err != nil || len(line) > longestHeader {
			return h, errors.New("its header does not end")
		}
		if b == '\n' {
			break
		}
		line = append(line, b)
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("its header is no JSON: %w", err)
	}
	if h.Epoch < 0 || h.Documents < 0 || h.Documents > mostDocuments {
		return h, errors.New("its header has impossible numbers")
	}
	return h, nil
}

func (s *summed) entry() (index.Change, error) {
	offset, err := binary.ReadUvarint(s)
	if err != nil {
		return index.Change{}, errors.New("it ends early")
	}
	length, err := binary.ReadUvarint(s)
	if err != nil || length > longestEntry {
		return index.Change{}, errors.New("a document is cut off or too long")
	}
	entry := make([]byte, length)
	if _, err := io.ReadFull(s, entry); err != nil {
		return index.Change{}, errors.New("it ends early")
	}
	d := &document.Document{}
	if err := json.Unmarshal(entry, d); err != nil {
		return index.Change{}, fmt.Errorf("a document is no JSON: %w", err)
	}
	return index.Change{Offset: int64(offset), ID: d.ID, Document: d}, nil
}

// end holds the sum of all that was read against the one that was written.
func (s *summed) end() error {
	want := s.sum.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(s.r, got); err != nil || !bytes.Equal(got, want) {
		return errors.New("its checksum is wrong")
	}
	if _, err := s.r.ReadByte(); err != io.EOF {
		return errors.New("there is more than a snapshot")
	}
	return nil
}
