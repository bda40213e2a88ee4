package main

import "github.com/flotilla-dev/flotilla/infra/local/internal/topology"

// siteFromGit is a site whose pages come out of git by its sidecar:
//
//	git push → gitserver ── webhook ──→ gitsync (in the pod of site)
//	               ↑── fetch ──────────────┘ └→ folder with a link → site
func siteFromGit() []topology.Service {
	return []topology.Service{
		{
			Name: "gitserver", Package: "./sidecars/gitsync/cmd/gitserver", Count: 1, Single: true,
			Env: map[string]string{
				"GITSERVER_DIR":              `{{private "site.git"}}`,
				"GITSERVER_TOKEN_FILE":       `{{secret "git-push-token"}}`,
				"GITSERVER_HOOK_URL":         `http://{{addr "gitsync"}}/v1/sync`,
				"GITSERVER_HOOK_SECRET_FILE": `{{secret "git-hook-secret"}}`,
			},
		},
		{
			Name: "gitsync", Package: "./sidecars/gitsync/cmd/gitsync", Count: 1, Single: true, Pod: "site", Needs: []string{"gitserver"},
			Env: map[string]string{
				"GITSYNC_REPOSITORY":          `http://{{addr "gitserver"}}/site.git`,
				"GITSYNC_PERIOD":              "10s", // the hook is faster; this is for when it does not come
				"GITSYNC_RETRY_MAX":           "2s",
				"GITSYNC_ROOT":                `{{shared "site"}}`,
				"GITSYNC_WEBHOOK_SECRET_FILE": `{{secret "git-hook-secret"}}`,
			},
		},
		{
			Name: "site", Package: "./sidecars/gitsync/cmd/site", Count: 1, Single: true, Needs: []string{"gitsync"},
			Env: map[string]string{"SITE_DIR": `{{shared "site"}}/current`},
		},
	}
}
