package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/flotilla-dev/flotilla/services/ownership/ledger/book"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// A shelf has the books of all shards, opened when they are first asked for.
type shelf struct {
	dir     string
	most    int
	options book.Options
	lock    *os.File

	mu    sync.Mutex // guards books
	books map[int]*book.Book
}

// openShelf takes a folder for this process alone and opens the books that are in it.
func openShelf(dir string, most int, o book.Options) (*shelf, error) {
	if err := book.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("LEDGER_DIR: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open LEDGER_DIR: %w", err)
	}
	s := &shelf{dir: dir, most: most, options: o, lock: lock, books: map[int]*book.Book{}}
	// Two processes that write one file would each remember a fence of their own.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("LEDGER_DIR is another process's: %w", err), lock.Close())
	}
	for number := range most {
		if _, err := os.Stat(s.path(number)); err != nil {
			continue
		}
		if _, err := s.book(number); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *shelf) path(number int) string {
	return filepath.Join(s.dir, fmt.Sprintf("shard-%d.ledger", number))
}

// book returns the book of a shard, and begins one that is not there yet.
func (s *shelf) book(number int) (*book.Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.books[number]; b != nil {
		return b, nil
	}
	b, err := book.Open(s.path(number), s.options)
	if err != nil {
		return nil, err
	}
	s.books[number] = b
	return b, nil
}

// all tells where every book stands.
func (s *shelf) all() []wire.Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	shards := []wire.Shard{}
	for number := range s.most {
		if b := s.books[number]; b != nil {
			at := b.Peek()
			at.Shard = number
			shards = append(shards, at)
		}
	}
	return shards
}

func (s *shelf) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, b := range s.books {
		err = errors.Join(err, b.Close())
	}
	return errors.Join(err, s.lock.Close())
}
