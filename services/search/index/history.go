package index

// history is a value with what it was at the epochs that are kept.
type history[T any] struct {
	now  T
	past []moment[T] // in the order of time
}

// moment says what a value was at all epochs up to until, and after the moment before.
type moment[T any] struct {
	until int64
	value T
}

// remember keeps the value that a change at the offset is about to replace: epochs up to the offset do not see that change. It
// tells whether something was added.
func (h *history[T]) remember(offset int64) bool {
	if len(h.past) > 0 && h.past[len(h.past)-1].until == offset {
		return false
	}
	h.past = append(h.past, moment[T]{until: offset, value: h.now})
	return true
}

// at returns the value at an epoch that is kept.
func (h *history[T]) at(epoch int64) T {
	low, high := 0, len(h.past)
	for low < high {
		middle := (low + high) / 2
		if h.past[middle].until < epoch {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(h.past) {
		return h.past[low].value
	}
	return h.now
}

// stale tells whether at least half of the past is needed by none but epochs before the oldest.
func (h *history[T]) stale(oldest int64) bool {
	return len(h.past) > 0 && h.past[(len(h.past)-1)/2].until < oldest
}

// forget drops the past that is not needed when it is stale, and tells how many moments that were.
func (h *history[T]) forget(oldest int64) int {
	if !h.stale(oldest) {
		return 0
	}
	gone := 0
	for gone < len(h.past) && h.past[gone].until < oldest {
		gone++
	}
	if gone == len(h.past) {
		h.past = nil
	} else {
		h.past = append([]moment[T](nil), h.past[gone:]...)
	}
	return gone
}
