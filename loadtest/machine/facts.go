package machine

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// Facts describe a machine and its software.
type Facts struct {
	OS      string            `json:"os"`
	Kernel  string            `json:"kernel,omitempty"`
	CPU     string            `json:"cpu,omitempty"`
	Cores   int               `json:"cores"`
	MemoryM int               `json:"memory_mib,omitempty"`
	Go      string            `json:"go"`
	Peers   map[string]string `json:"peers,omitempty"` // program → version; absent ones are missing
}

// peers are the programs of others that experiments use: how each tells its version.
var peers = map[string][]string{
	"nginx":          {"nginx", "-v"},
	"varnish":        {"varnishd", "-V"},
	"wrk":            {"wrk", "-v"},
	"h2load":         {"h2load", "--version"},
	"redis-server":   {"redis-server", "--version"},
	"redis_exporter": {"prometheus-redis-exporter", "--version"},
	"openssl":        {"openssl", "version"},
}

var number = regexp.MustCompile(`\d+(\.\d+)+[a-z]?`)

// Describe looks at this machine.
func Describe(ctx context.Context) Facts {
	f := Facts{OS: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(), Peers: map[string]string{}}
	f.Kernel = firstLine("/proc/sys/kernel/osrelease")
	f.CPU = field("/proc/cpuinfo", "model name")
	if kib, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		f.MemoryM = kib >> 10
	}
	for name, argv := range peers {
		// Some of them end with a status other than 0 after telling.
		out, _ := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		if version := number.FindString(string(out)); version != "" {
			f.Peers[name] = version
		}
	}
	return f
}

func firstLine(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return "" // not Linux
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// field returns the value of the first "key: value" line.
func field(name, key string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
