package feed

import (
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Program describes searchfeed to operators and to the wiring test.
var Program = process.Program{
	Name:  "searchfeed",
	About: "brings a corpus of documents into the search, once",
	Calls: []string{"search: HTTP", "server of the corpus: HTTP"},
}

// Config is the configuration of a feed.
type Config struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	Corpus  string           `env:"SEARCHFEED_CORPUS,required,notEmpty" doc:"where the corpus is: file:path, http: or https:; JSON lines, unpacked when it ends in .gz"`
	Search  upstream.Address `env:"SEARCHFEED_SEARCH,required" doc:"roots of the search: host:port[/adminport],… or dns:name:port[/adminport] or file:path"`
	Mark    string           `env:"SEARCHFEED_MARK" doc:"name under which it is remembered that the corpus is in; the name of its file when empty"`
	Batch   int              `env:"SEARCHFEED_BATCH" envDefault:"500" doc:"documents of a request, 1 to 1000"`
	Timeout time.Duration    `env:"SEARCHFEED_TIMEOUT" envDefault:"15s" doc:"for one request to a root"`
	Silent  time.Duration    `env:"SEARCHFEED_SILENCE" envDefault:"30s" doc:"for how long the server of the corpus may send nothing"`
}

// longestMark is that of a root's API.
const longestMark = 64

// mark is the name of the corpus' mark.
func (c Config) mark() string {
	if c.Mark != "" {
		return c.Mark
	}
	if name, is := strings.CutPrefix(c.Corpus, "file:"); is {
		return path.Base(name)
	}
	u, err := url.Parse(c.Corpus)
	if err != nil {
		return "" // validate has refused it
	}
	return path.Base(u.Path)
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	wrong := c.Health.Problems()
	wrong.Want(isSource(c.Corpus), "SEARCHFEED_CORPUS", "%.80q is not valid: want file:path, http://… or https://…", c.Corpus)
	mark := c.mark()
	plain := mark != "" && len(mark) <= longestMark && !strings.ContainsFunc(mark, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' })
	wrong.Want(plain, "SEARCHFEED_MARK", "%.80q is not valid: want 1 to %d letters of ASCII without spaces and slashes", mark, longestMark)
	wrong.Want(c.Batch >= 1 && c.Batch <= 1000, "SEARCHFEED_BATCH", "want 1 to 1000")
	wrong.Want(c.Timeout > 0, "SEARCHFEED_TIMEOUT", "want more than 0s")
	wrong.Want(c.Silent > 0, "SEARCHFEED_SILENCE", "want more than 0s")
	return wrong.Err()
}

func isSource(text string) bool {
	if name, is := strings.CutPrefix(text, "file:"); is {
		return name != ""
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
