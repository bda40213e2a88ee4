package origin

import "io"

// A BodyError is what went wrong with the body of the request itself, on the client's side. It says nothing
// about the replica.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "read request body: " + e.Err.Error() }
func (e *BodyError) Unwrap() error { return e.Err }

// stream is Request.Stream for net/http, which returns the errors of a body as they are.
type stream struct{ io.Reader }

func (s stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &BodyError{err}
	}
	return n, err
}

// Close implements io.Closer. The reader is the exchange's, which ends it.
func (stream) Close() error { return nil }
