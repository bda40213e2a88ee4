package kubestore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// The annotations have the fencing token of the holder, and why the one before does
// not hold it any more.
const (
	tokenAnnotation  = "flotilla.dev/fencing-token"
	beforeAnnotation = "flotilla.dev/before"
)

// An object is a Lease as the API writes it. What is in its metadata beside the
// annotation is somebody else's, and is sent back as it came.
type object struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       spec           `json:"spec"`
}

// spec is that of a Lease. Fields that this package does not know cannot be there:
// strategy and preferredHolder are for elections by the control plane.
type spec struct {
	HolderIdentity       string     `json:"holderIdentity"`
	LeaseDurationSeconds int32      `json:"leaseDurationSeconds,omitempty"`
	AcquireTime          *microTime `json:"acquireTime,omitempty"`
	RenewTime            *microTime `json:"renewTime,omitempty"`
	LeaseTransitions     int32      `json:"leaseTransitions"`
}

// microTime is a time with microseconds, as Kubernetes wants it.
type microTime struct{ time.Time }

const microLayout = "2006-01-02T15:04:05.000000Z07:00"

func (m microTime) MarshalJSON() ([]byte, error) { return json.Marshal(m.UTC().Format(microLayout)) }

func (m *microTime) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	var s string
	err := json.Unmarshal(text, &s)
	if err == nil {
		m.Time, err = time.Parse(time.RFC3339, s)
	}
	return err
}

func now() *microTime { return &microTime{time.Now()} }

// parse reads an object.
func parse(text []byte) (object, error) {
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return object{}, fmt.Errorf("%w: %w", lease.ErrUnreadable, err)
	}
	if _, err := o.number(); err != nil {
		return object{}, err
	}
	if _, err := o.token(); err != nil {
		return object{}, err
	}
	if o.Spec.LeaseDurationSeconds < 0 || o.Spec.LeaseTransitions < 0 {
		return object{}, fmt.Errorf("%w: negative numbers", lease.ErrUnreadable)
	}
	return o, nil
}

func (o object) version() string {
	v, _ := o.Metadata["resourceVersion"].(string)
	return v
}

// number is the version as the integer that it is.
func (o object) number() (uint64, error) {
	n, err := strconv.ParseUint(o.version(), 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%w: resourceVersion %.40q is no number: its versions are no tokens", lease.ErrUnreadable, o.version())
	}
	return n, nil
}

// token is that of the holder; 0 where somebody else wrote the Lease.
func (o object) token() (lease.Token, error) {
	text := o.annotation(tokenAnnotation)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: the annotation %s is no number", lease.ErrUnreadable, tokenAnnotation)
	}
	return lease.Token(n), nil
}

func (o *object) setToken(t lease.Token) {
	o.annotate(tokenAnnotation, strconv.FormatUint(uint64(t), 10))
}

func (o *object) annotate(key, value string) {
	annotations, _ := o.Metadata["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
	}
	annotations[key] = value
	o.Metadata["annotations"] = annotations
}

func (o object) annotation(key string) string {
	annotations, _ := o.Metadata["annotations"].(map[string]any)
	value, _ := annotations[key].(string)
	return value
}

// ttl is how long the holder may be silent.
func (o object) ttl() time.Duration { return time.Duration(o.Spec.LeaseDurationSeconds) * time.Second }

// is tells whether the object says what was seen: renewals do not count.
func is(a, b lease.Record) bool {
	return b.Version != "" && a.Holder == b.Holder && a.Token == b.Token && a.Ended == b.Ended
}
