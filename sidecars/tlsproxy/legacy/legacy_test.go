package legacy

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// asProgram makes the test binary be the program, so that a real process can be
// signalled.
const asProgram = "RUN_THE_OLD_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		process.Main(Program, Run)
	}
	goleak.VerifyTestMain(m)
}

type running struct {
	url, dir string
	hup      chan os.Signal
}

// start runs the program in a directory of its own.
func start(t *testing.T, environ map[string]string) running {
	t.Helper()
	r := running{dir: t.TempDir(), hup: make(chan os.Signal)}
	env := map[string]string{"LOG_LEVEL": "WARN", "LEGACY_LOG_DIR": r.dir, "LEGACY_CONFIG_FILE": r.file("legacy.ini"), "LEGACY_PID_FILE": r.file("legacy.pid")}
	maps.Copy(env, environ)
	cfg := processtest.Parse[Config](t, Program, env)
	r.url = "http://" + processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return run(ctx, cfg, r.hup) }).Data
	return r
}

func (r running) file(name string) string { return filepath.Join(r.dir, name) }

func (r running) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(r.file(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r running) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(r.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// reload sends SIGHUP twice: the second is taken when the first was heeded.
func (r running) reload() { r.hup <- syscall.SIGHUP; r.hup <- syscall.SIGHUP }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestABrokenConfigurationLeavesTheOldOne(t *testing.T) {
	r := start(t, nil)
	if status, body := get(t, r.url+"/"); status != 200 || body != builtIn.text() {
		t.Fatalf("without a file: %d %q", status, body)
	}
	r.write(t, "legacy.ini", "greeting = Good day\n")
	if _, body := get(t, r.url+"/"); body != builtIn.text() {
		t.Errorf("the file is read without SIGHUP: %q", body)
	}
	r.reload()
	if _, body := get(t, r.url+"/"); body != "Good day\nnothing new\n" {
		t.Errorf("after SIGHUP: %q", body)
	}
	r.write(t, "legacy.ini", "greting = Good night\n")
	r.reload()
	if _, body := get(t, r.url+"/"); body != "Good day\nnothing new\n" {
		t.Errorf("after a broken file: %q", body)
	}
	if log := r.read(t, "legacy.log"); !strings.Contains(log, `unknown key "greting"`) {
		t.Errorf("the log does not tell what is wrong: %s", log)
	}
}

func TestMistakesAreNamedByTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"greeting":                         "line 1: want key = value",
		"# c\n\ngreeting=a\nvolume = 11\n": `line 4: unknown key "volume"`,
		"motd=a\nmotd=b":                   "line 2: motd is set a second time",
		"motd=a\x00b":                      "line 1: the value is no text",
		"motd=\xff":                        "line 1: the value is no text",
		"greeting = Hi\rthere":             "line 1: the value is no text",
	} {
		if _, err := parsePage([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	p, err := parsePage([]byte("; a\r\n greeting = Hi = there \r\n#b\nmotd=\n"))
	if err != nil || p != (page{"Hi = there", ""}) {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte("greeting = a\n; b\nmotd = c\n"))
	f.Add([]byte("motd=\xff\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePage(text)
		if err != nil {
			return
		}
		again, err := parsePage([]byte("greeting=" + p.greeting + "\nmotd=" + p.motd))
		if err != nil || again != p {
			t.Errorf("%q is read as %+v, and that as %+v, %v", text, p, again, err)
		}
	})
}

var (
	combinedLine = regexp.MustCompile(`^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a\?b=%22 HTTP/1\.1" 404 10 "-" "a\\"b\\\\c\\xc3\\xa9"$`)
	glogLine     = regexp.MustCompile(`^W\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ legacy\.go:\d+\] no configuration file /`)
)

func TestLogsHaveTheirOldForms(t *testing.T) {
	r := start(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/a?b=%22", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", `a"b\cé`)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the request is in the log", func() bool { return combinedLine.MatchString(strings.TrimSpace(r.read(t, "access.log"))) })
	if line, _, _ := strings.Cut(r.read(t, "legacy.log"), "\n"); !glogLine.MatchString(line) {
		t.Errorf("no glog line: %s", line)
	}
}

func TestARenamedLogIsLeftOnSIGHUP(t *testing.T) {
	r := start(t, nil)
	get(t, r.url+"/first")
	await.That(t, "the first line", func() bool { return strings.Contains(r.read(t, "access.log"), "/first") })
	if err := os.Rename(r.file("access.log"), r.file("access.old")); err != nil {
		t.Fatal(err)
	}
	get(t, r.url+"/second")
	await.That(t, "the second line in the renamed log", func() bool { return strings.Contains(r.read(t, "access.old"), "/second") })
	r.reload()
	get(t, r.url+"/third")
	await.That(t, "the third line in the new log", func() bool { return strings.Contains(r.read(t, "access.log"), "/third") })
	if strings.Contains(r.read(t, "access.old"), "/third") {
		t.Error("the old log is still written")
	}
}

func TestALogHasABound(t *testing.T) {
	l, err := openLog(filepath.Join(t.TempDir(), "log"), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for range 50 {
		if _, err := l.Write([]byte("0123456789012345678901234567890\n")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{l.path, l.path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > 100 || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestADirectoryThatIsNotThereIsAnErrorAtStart(t *testing.T) {
	cfg, err := process.Parse[Config](Program, map[string]string{"LEGACY_LOG_DIR": "/nonexistent", "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "/nonexistent/legacy.log") {
		t.Errorf("%v", err)
	}
}

func TestTheProcessOfThePIDFileReadsOnSIGHUP(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"=1", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "DRAIN_DELAY=0s",
		"LEGACY_CONFIG_FILE="+at("legacy.ini"), "LEGACY_PID_FILE="+at("legacy.pid"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(at("legacy.pid")); !os.IsNotExist(err) {
			t.Errorf("the pid file was left: %v", err)
		}
	}()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening") {
	}
	text, err := os.ReadFile(at("legacy.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid != cmd.Process.Pid {
		t.Fatalf("pid %d, %v; it is %d", pid, err, cmd.Process.Pid)
	}
	if err := os.WriteFile(at("legacy.ini"), []byte("greeting = Ahoy\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if strings.Contains(lines.Text(), `configuration read: greeting "Ahoy"`) {
			go func() { _, _ = io.Copy(io.Discard, stderr) }() // keep its pipe empty
			return
		}
	}
	t.Error("SIGHUP was not heeded")
}
