package dictionary

import (
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/dictionary/data"
	"github.com/flotilla-dev/flotilla/services/dictionary/download"
)

// Program describes dictionary to operators and to the wiring test.
var Program = process.Program{
	Name:  "dictionary",
	About: "serves the definitions of English words out of WordNet 3.0, which it downloads at start",
	Calls: []string{"content: HTTP"},
	Defaults: map[string]string{
		"DICTIONARY_DATA_URL":    "file:data/" + data.File,
		"DICTIONARY_DATA_SHA256": data.SHA256,
	},
}

// Config is the configuration of dictionary.
type Config struct {
	process.Contract
	DataURL     string        `env:"DICTIONARY_DATA_URL,notEmpty" doc:"where the data comes from: http:, https: or file: (absolute, or relative to the working directory); unpacked when it ends in .gz"`
	DataSHA256  string        `env:"DICTIONARY_DATA_SHA256,notEmpty" doc:"SHA-256 of the unpacked data; nothing else is served"`
	DataLimit   config.Size   `env:"DICTIONARY_DATA_LIMIT" envDefault:"64MiB" doc:"limit of the data, as transferred and unpacked"`
	DataTimeout time.Duration `env:"DICTIONARY_DATA_TIMEOUT" envDefault:"10s" doc:"for how long the data server may send nothing before the transfer is tried again"`
	CacheDir    string        `env:"DICTIONARY_CACHE_DIR" doc:"folder that keeps the data, and an unfinished transfer, over restarts; replicas may share it; empty: a temporary one or, where there is none, memory"`
	RetryBase   time.Duration `env:"DICTIONARY_RETRY_BASE" envDefault:"200ms" doc:"bound of the random delay before the first new try to load the data; doubled for each further one"`
	RetryMax    time.Duration `env:"DICTIONARY_RETRY_MAX" envDefault:"10s" doc:"bound of the random delay before any new try"`

	MaxAge       time.Duration `env:"DICTIONARY_MAX_AGE" envDefault:"5m" doc:"how long an answer about a word is fresh in caches"`
	Revalidate   time.Duration `env:"DICTIONARY_STALE_WHILE_REVALIDATE" envDefault:"1m" doc:"how long after that it may be used while a new one is fetched"`
	IfError      time.Duration `env:"DICTIONARY_STALE_IF_ERROR" envDefault:"24h" doc:"how long after that it may be used when no replica answers"`
	Sessions     int           `env:"DICTIONARY_SESSIONS" envDefault:"10000" doc:"sessions whose recent words are kept; the one idle longest makes room"`
	SessionWords int           `env:"DICTIONARY_SESSION_WORDS" envDefault:"20" doc:"recent words kept of each session"`
	SessionTTL   time.Duration `env:"DICTIONARY_SESSION_TTL" envDefault:"30m" doc:"how long the words of an idle session are kept"`

	MaxRate int           `env:"DICTIONARY_MAX_RATE" envDefault:"0" doc:"requests a second that this replica answers, for experiments with capacity; 0: no limit"`
	MaxWait time.Duration `env:"DICTIONARY_MAX_WAIT" envDefault:"1s" doc:"how long a request above DICTIONARY_MAX_RATE may wait for its turn before it is refused"`
}

// source is what Config says about the data, in the words of download.
func (c Config) source(dir string) download.File {
	return download.File{URL: c.DataURL, SHA256: c.DataSHA256, Dir: dir, Limit: int64(c.DataLimit), Silent: c.DataTimeout}
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	source := c.source("")
	source.SHA256 = data.SHA256 // one thing at a time
	if _, err := download.New(source); err != nil {
		wrong.Add("DICTIONARY_DATA_URL", "%v", err)
	}
	source = c.source("")
	source.URL = "file:x"
	if _, err := download.New(source); err != nil {
		wrong.Add("DICTIONARY_DATA_SHA256", "%v", err)
	}
	if c.DataLimit < 1 {
		wrong.Add("DICTIONARY_DATA_LIMIT", "want more than 0")
	}
	for variable, d := range map[string]time.Duration{"DICTIONARY_DATA_TIMEOUT": c.DataTimeout, "DICTIONARY_RETRY_BASE": c.RetryBase, "DICTIONARY_RETRY_MAX": c.RetryMax} {
		if d <= 0 {
			wrong.Add(variable, "want more than 0")
		}
	}
	for variable, n := range map[string]int{"DICTIONARY_SESSIONS": c.Sessions, "DICTIONARY_SESSION_WORDS": c.SessionWords} {
		if n < 1 {
			wrong.Add(variable, "want at least 1")
		}
	}
	if c.MaxRate < 0 {
		wrong.Add("DICTIONARY_MAX_RATE", "want 0 or more")
	}
	return wrong.Err()
}
