// Package control is how commands reach the runner: HTTP with JSON over a unix
// socket that only its owner may open.
//
//	GET  /v1/fleet                                      the fleet of the moment
//	POST /v1/{kill,pause,resume,restart,scale,down}     a Request
//
// The answer to a POST is a stream of Messages, one a line: what happens, as it
// happens, and at the end one that says Done or Error.
package control

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// Request is the body of a command.
type Request struct {
	Name   string `json:"name,omitempty"`
	Signal string `json:"signal,omitempty"`
	Count  int    `json:"count,omitempty"`
	Now    bool   `json:"now,omitempty"`
}

// Message is a line of an answer.
type Message struct {
	Say   string `json:"say,omitempty"`
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}

// maxPath is what fits into the address of a unix socket everywhere.
const maxPath = 100

// Socket is the path of the control socket of a fleet's directory: in it, or,
// where its path is too long for a socket, in the directory for temporary files.
func Socket(dir string) string {
	path := filepath.Join(dir, "control.sock")
	if len(path) <= maxPath {
		return path
	}
	digest := sha256.Sum256([]byte(dir))
	return filepath.Join(os.TempDir(), fmt.Sprintf("flotilla-%x.sock", digest[:8]))
}
