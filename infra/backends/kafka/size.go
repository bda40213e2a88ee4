package kafka

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// every is the time between two looks at the size. What is written meanwhile may go past the
// limit: by what the disk takes in that time, not more.
const every = time.Second

// measure keeps the size up to date. A folder that cannot be read ends the process: nothing
// would bound it.
func (b *broker) measure(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := b.look(); err != nil {
				return err
			}
		}
	}
}

// look sums what the files hold. Files come and go meanwhile.
func (b *broker) look() error {
	var sum int64
	err := filepath.WalkDir(b.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != b.dir {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("measure the data: %w", err)
	}
	b.size.Store(sum)
	return nil
}

func (b *broker) full() bool { return b.size.Load() > b.maxSize }
