package gitserver

import (
	"net/url"
	"regexp"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program describes gitserver to operators and to the wiring test.
var Program = process.Program{
	Name:  "gitserver",
	About: "serves one bare git repository over HTTP: clone and fetch for anybody, push with a token",
	Calls: []string{"GITSERVER_HOOK_URL: HTTP"},
}

// Config is the configuration of gitserver.
type Config struct {
	process.Contract
	Dir            string      `env:"GITSERVER_DIR,notEmpty" envDefault:"/repository" doc:"directory of the bare repository; made, with a first commit of a small page, when it is empty"`
	Name           string      `env:"GITSERVER_NAME,notEmpty" envDefault:"site.git" doc:"name of the repository in its URL"`
	Branch         string      `env:"GITSERVER_BRANCH,notEmpty" envDefault:"main" doc:"default branch of a repository that is made"`
	TokenFile      string      `env:"GITSERVER_TOKEN_FILE" doc:"file with the token that pushing needs, as the password of any user, at least 16 characters; without it nobody pushes"`
	MaxPush        config.Size `env:"GITSERVER_MAX_PUSH" envDefault:"64MiB" doc:"most bytes of a push"`
	MaxFetches     int         `env:"GITSERVER_MAX_FETCHES" envDefault:"8" doc:"fetches that are served at a time; others are told to come back"`
	HookURL        string      `env:"GITSERVER_HOOK_URL" doc:"URL that is posted to after a push, signed as GitHub signs"`
	HookSecretFile string      `env:"GITSERVER_HOOK_SECRET_FILE" doc:"file with the secret of the signature"`
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func (c Config) validate() error {
	var wrong config.Error
	for variable, value := range map[string]string{"GITSERVER_NAME": c.Name, "GITSERVER_BRANCH": c.Branch} {
		if !plainName.MatchString(value) {
			wrong.Add(variable, "%q is not valid: want letters, digits, dots, dashes and underscores", value)
		}
	}
	if c.MaxPush < 1 || c.MaxFetches < 1 {
		wrong.Add("GITSERVER_MAX_PUSH, GITSERVER_MAX_FETCHES", "want more than 0")
	}
	if u, err := url.Parse(c.HookURL); c.HookURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		wrong.Add("GITSERVER_HOOK_URL", "is not valid: want http://host:port/path")
	}
	if (c.HookURL == "") != (c.HookSecretFile == "") {
		wrong.Add("GITSERVER_HOOK_URL, GITSERVER_HOOK_SECRET_FILE", "set both or neither")
	}
	return wrong.Err()
}
