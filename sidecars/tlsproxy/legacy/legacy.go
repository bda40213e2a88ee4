package legacy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program is legacy as a process of the fleet.
var Program = process.Program{
	Name:     "legacy",
	About:    "an old application: plain HTTP on loopback, a configuration file read on SIGHUP, log files",
	Defaults: map[string]string{"LISTEN_ADDR": "127.0.0.1:8090"},
}

// Config is the configuration of legacy.
type Config struct {
	process.Contract
	ConfigFile string      `env:"LEGACY_CONFIG_FILE" doc:"file with the lines greeting = … and motd = …, read at start and on SIGHUP, and at no other time; built-in values when empty or not there"`
	LogDir     string      `env:"LEGACY_LOG_DIR" doc:"directory of access.log (Apache combined) and legacy.log (glog), both opened anew on SIGHUP; without it there is no access log and the other goes to stderr"`
	LogMax     config.Size `env:"LEGACY_LOG_MAX" envDefault:"8MiB" doc:"a log file that grows past it is renamed to one with .1 at the end, in place of the one before"`
	PIDFile    string      `env:"LEGACY_PID_FILE" doc:"file with the number of this process, written when SIGHUP can be sent; none when empty"`
}

// Run serves the page until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	// A SIGHUP that comes before this line ends the process, as is the custom.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return run(ctx, cfg, hup)
}

func run(ctx context.Context, cfg Config, hup <-chan os.Signal) error {
	a := &application{cfg: cfg}
	if err := a.openLogs(); err != nil {
		return err
	}
	defer a.closeLogs()
	a.page.Store(&builtIn)
	a.reload()
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	p.Go("signals", func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-hup:
				a.hangUp()
			}
		}
	})
	if err := a.writePID(); err != nil {
		p.Close()
		return err
	}
	defer a.removePID()
	p.Serve(api.Server(p.Faults.Wrap(a)))
	return p.Run(ctx)
}

// application is the page and the logs of it.
type application struct {
	cfg    Config
	page   atomic.Pointer[page]
	access *logFile // nil: no access log
	log    io.Writer
	own    *logFile // what log is, if it is a file
}

// ServeHTTP answers every path but the root with 404, and every request with a
// line in the access log.
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := http.StatusNotFound, "not found\n"
	if r.URL.Path == "/" {
		status, body = http.StatusOK, a.page.Load().text()
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	sent := 0
	if r.Method != http.MethodHead {
		sent, _ = io.WriteString(w, body) // a client that is gone is seen by its bytes in the log
	}
	if a.access != nil {
		_, _ = io.WriteString(a.access, combined(r, status, sent)) // a full disk stops no answer
	}
}

// hangUp is what SIGHUP means: logs are opened anew, for those who have renamed
// them, and the configuration is read.
func (a *application) hangUp() {
	for _, l := range []*logFile{a.access, a.own} {
		if l == nil {
			continue
		}
		if err := l.reopen(); err != nil {
			a.logf('E', "%v; the old one stays open", err)
		}
	}
	a.reload()
}

// reload reads the configuration file. One that is broken changes nothing.
func (a *application) reload() {
	if a.cfg.ConfigFile == "" {
		return
	}
	p, err := readPage(a.cfg.ConfigFile)
	if os.IsNotExist(err) {
		a.logf('W', "no configuration file %s", a.cfg.ConfigFile)
		return
	}
	if err != nil {
		a.logf('E', "configuration not read, the old one stays: %v", err)
		return
	}
	a.page.Store(&p)
	a.logf('I', "configuration read: greeting %q, motd %q", p.greeting, p.motd)
}

// writePID tells who may be signalled. The file comes by a rename, so that nobody
// reads half a number.
func (a *application) writePID() error {
	if a.cfg.PIDFile == "" {
		return nil
	}
	if err := atomicfile.Write(a.cfg.PIDFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("LEGACY_PID_FILE: %w", err)
	}
	return nil
}

func (a *application) removePID() {
	if a.cfg.PIDFile == "" {
		return
	}
	if err := os.Remove(a.cfg.PIDFile); err != nil {
		a.logf('W', "pid file not removed: %v", err)
	}
}
