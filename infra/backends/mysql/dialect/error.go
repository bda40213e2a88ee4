package dialect

import "fmt"

// Codes of MySQL's errors that this package makes.
const (
	codeSyntax       = 1064
	codeUnknownDB    = 1049
	codeUnsupported  = 1235
	codeUnknownValue = 1193
)

// An Error is what a client is told about a statement.
type Error struct {
	Code    uint16
	Message string
}

func (e *Error) Error() string { return e.Message }

func refuse(code uint16, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}
