package index

import "time"

// window decides which epochs are kept: those that were the newest some time in the last minute, or as long as it is configured.
type window struct {
	versions time.Duration
	oldest   int64
	stays    []stay // in the order of time
}

// stay says that epoch, and those after it up to the next stay's, were the newest until left. Stays that follow each other quickly
// are kept as one, so that there are few: what is kept then is kept a little longer.
type stay struct {
	epoch       int64
	begun, left time.Time
}

// parts is into how many stays the window is divided at most, about.
const parts = 64

// leave notes that an epoch is no longer the newest.
func (w *window) leave(epoch int64, now time.Time) {
	if last := len(w.stays) - 1; last >= 0 && now.Sub(w.stays[last].begun) < w.versions/parts {
		w.stays[last].left = now
		return
	}
	w.stays = append(w.stays, stay{epoch: epoch, begun: now, left: now})
}

// move finds the oldest epoch to be kept. It never goes back.
func (w *window) move(newest int64, now time.Time) {
	gone := 0
	for gone < len(w.stays) && now.Sub(w.stays[gone].left) > w.versions {
		gone++
	}
	w.stays = append(w.stays[:0], w.stays[gone:]...)
	oldest := newest
	if len(w.stays) > 0 {
		oldest = w.stays[0].epoch
	}
	w.oldest = max(w.oldest, oldest)
}
