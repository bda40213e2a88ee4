package doclog

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// RetryAfter is what a client is asked to wait when a write was refused or its end is unknown.
const RetryAfter = time.Second

// Invalid says that a record can never be in the log. Its text may be shown to whoever sent it.
type Invalid struct{ Reason string }

func (e *Invalid) Error() string { return e.Reason }

// Refused says that a record is not in the log, and was not sent, or was sent and turned down. It may be written later.
type Refused struct{ Cause error }

func (e *Refused) Error() string { return fmt.Sprintf("not written: %v", e.Cause) }
func (e *Refused) Unwrap() error { return e.Cause }

// Unknown says that a record was sent and that nobody told what became of it: it may be in the log or not.
type Unknown struct{ Cause error }

func (e *Unknown) Error() string { return fmt.Sprintf("perhaps written: %v", e.Cause) }
func (e *Unknown) Unwrap() error { return e.Cause }

// Fenced says that somebody else goes on with the identity of an Appender, or that the brokers have forgotten it. Nothing of the request
// is written, or will be.
type Fenced struct{ Cause error }

func (e *Fenced) Error() string { return fmt.Sprintf("another one writes in this place: %v", e.Cause) }
func (e *Fenced) Unwrap() error { return e.Cause }

// Causes of a refusal beside those of Kafka and of the caller's context.
var (
	ErrFull   = errors.New("too many writes are waiting")
	ErrAway   = errors.New("the log was not reachable a moment ago")
	ErrClosed = errors.New("the writer is closed")
)

// Partitions says that the topic is there with another number of partitions than there are shards. What was placed would not be found.
type Partitions struct {
	Topic      string
	Have, Want int32
}

func (e *Partitions) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, %d are wanted: every id would belong to another shard", e.Topic, e.Have, e.Want)
}

// Gone says that a follower cannot go on: what it wants next is not in the log any more, or never was.
type Gone struct {
	Topic          string
	Partition      int32
	Next           int64 // wanted
	Oldest, Newest int64 // there is; both -1: unknown
	Recreated      bool  // it is another topic with the same name
}

func (e *Gone) Error() string {
	if e.Recreated {
		return fmt.Sprintf("topic %s is another one than before: it was deleted and created anew", e.Topic)
	}
	return fmt.Sprintf("offset %d is not in partition %d of topic %s: there are %d to %d", e.Next, e.Partition, e.Topic, e.Oldest, e.Newest)
}

// IsMissing tells whether an error is that there is no such topic.
func IsMissing(err error) bool { return errors.Is(err, sarama.ErrUnknownTopicOrPartition) }

// fenced tells whether an answer means that a producer identity is of no use any more. All of them come before anything is written.
func fenced(code sarama.KError) bool {
	switch code {
	case sarama.ErrOutOfOrderSequenceNumber, sarama.ErrUnknownProducerID, sarama.ErrInvalidProducerEpoch, sarama.ErrProducerFenced:
		return true
	}
	return false
}

// turnedDown tells whether an answer to a request means that nothing of it was written, and that repeating it at once would not help.
func turnedDown(code sarama.KError) bool {
	switch code {
	case sarama.ErrInvalidTimestamp, sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed, sarama.ErrPolicyViolation, sarama.ErrInvalidRequiredAcks, sarama.ErrUnsupportedForMessageFormat:
		return true
	}
	return tooLarge(code)
}

// tooLarge tells whether an answer means that the record itself is none for this topic.
func tooLarge(code sarama.KError) bool {
	switch code {
	case sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge, sarama.ErrInvalidMessage, sarama.ErrInvalidRecord:
		return true
	}
	return false
}

// before tells whether an answer means that nothing was written, though the same request may be taken later, or elsewhere. All others
// may come after the leader has written: also that of a leader that is none any more, because it waits for its replicas before it says so.
func before(code sarama.KError) bool {
	return code == sarama.ErrNotEnoughReplicas || code == sarama.ErrUnknownTopicOrPartition || code == sarama.ErrLeaderNotAvailable
}
