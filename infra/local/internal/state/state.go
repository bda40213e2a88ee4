// Package state keeps what a fleet tells about itself in its directory:
//
//	fleet.json            the runner, and each process with pid, start, addresses and state
//	endpoints/<service>   a line "name data-addr admin-addr" for each replica
//
// Files are replaced by a rename: a reader sees the old or the new one.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// Fleet is the content of fleet.json.
type Fleet struct {
	State     string            `json:"state"` // building, starting, ready, degraded, stopping or down
	Root      string            `json:"root,omitempty"`
	Runner    Identity          `json:"runner"`
	Started   time.Time         `json:"started,omitzero"`
	BuildTime float64           `json:"build_seconds,omitempty"`
	ReadyTime float64           `json:"ready_seconds,omitempty"` // after the build
	URLs      map[string]string `json:"urls,omitempty"`
	CA        string            `json:"ca,omitempty"`
	Processes []Process         `json:"processes"`
}

// Identity names a process for good: numbers are used again.
type Identity struct {
	PID   int    `json:"pid,omitempty"`
	Start string `json:"start,omitempty"`
}

// Process is a replica.
type Process struct {
	Name     string `json:"name"`     // of the service
	Instance string `json:"instance"` // of the replica
	Identity
	Started  time.Time `json:"started,omitzero"`
	Data     string    `json:"data"`
	Admin    string    `json:"admin,omitempty"`
	State    string    `json:"state"` // see supervise.State
	Reason   string    `json:"reason,omitempty"`
	Restarts int       `json:"restarts"`
	Memory   int64     `json:"memory_bytes,omitempty"` // proportional set size; not in the file
}

const fleetFile = "fleet.json"

// Write replaces fleet.json.
func Write(dir string, f Fleet) error {
	content, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, fleetFile), append(content, '\n'), 0o600)
}

// Read reads fleet.json. Without one the fleet is down.
func Read(dir string) (Fleet, error) {
	content, err := os.ReadFile(filepath.Join(dir, fleetFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Fleet{State: "down"}, nil
	}
	if err != nil {
		return Fleet{}, err
	}
	var f Fleet
	if err := json.Unmarshal(content, &f); err != nil {
		return Fleet{}, fmt.Errorf("read %s: %w", filepath.Join(dir, fleetFile), err)
	}
	return f, nil
}

// Endpoints replaces the endpoint file of a service.
func Endpoints(dir, service string, processes []Process) error {
	var text strings.Builder
	for _, p := range processes {
		fmt.Fprintln(&text, strings.TrimSpace(p.Instance+" "+p.Data+" "+p.Admin))
	}
	path := filepath.Join(dir, "endpoints", service)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, []byte(text.String()), 0o600)
}

// Clean ends what a runner that was killed has left behind, and says what that
// was. A process counts only when number and start agree with the record: the
// number may be somebody else's by now.
func Clean(dir string) ([]string, error) {
	f, err := Read(dir)
	if err != nil {
		return nil, err
	}
	var cleaned []string
	var errs []error
	for _, p := range f.Processes {
		if !proc.Alive(p.PID, p.Start) {
			continue
		}
		if err := proc.KillGroup(p.PID); err != nil {
			errs = append(errs, fmt.Errorf("end %s, process %d: %w", p.Instance, p.PID, err))
			continue
		}
		if !gone(p.Identity) {
			errs = append(errs, fmt.Errorf("end %s: process %d does not go", p.Instance, p.PID))
			continue
		}
		cleaned = append(cleaned, fmt.Sprintf("%s (process %d)", p.Instance, p.PID))
	}
	if len(errs) == 0 {
		err = Remove(dir)
	}
	return cleaned, errors.Join(append(errs, err)...)
}

// gone waits until a killed process has let go of its ports: the next fleet
// wants them.
func gone(p Identity) bool {
	deadline := time.Now().Add(5 * time.Second)
	for proc.Alive(p.PID, p.Start) {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(5 * time.Millisecond) // it is not our child: there is nothing to wait on
	}
	return true
}

// Remove takes away what says that a fleet runs.
func Remove(dir string) error {
	for _, name := range []string{fleetFile, "endpoints"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
