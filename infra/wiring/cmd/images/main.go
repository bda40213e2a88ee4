// Command images writes the stages of the Dockerfile from what every program
// says of itself, compares built images with it, and compiles for another
// platform what images for it would contain:
//
//	go generate ./infra/wiring                    write infra/docker/Dockerfile and infra/wiring/api
//	go run ./infra/wiring/cmd/images -check       exit 1 when it would change
//	go run ./infra/wiring/cmd/images -built 'flotilla/%s:dev'
//	                                              ask the engine whether built images say the same
//	go run ./infra/wiring/cmd/images -cross linux/arm64
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/infra/wiring"
)

func main() {
	root := flag.String("root", ".", "root of the tree")
	check := flag.Bool("check", false, "change nothing; exit 1 when the Dockerfile is not up to date")
	built := flag.String("built", "", "pattern of image names: compare these images with the programs")
	cross := flag.String("cross", "", "os/arch: compile all programs of images for it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *cross != "" {
		err = crossCompile(ctx, *root, *cross)
	} else {
		err = run(ctx, *root, *check, *built)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func crossCompile(ctx context.Context, root, platform string) error {
	goos, goarch, ok := strings.Cut(platform, "/")
	if !ok {
		return errors.New("-cross: want os/arch, such as linux/arm64")
	}
	if err := wiring.Cross(ctx, root, goos, goarch); err != nil {
		return err
	}
	fmt.Println("all programs of images compile for", platform)
	return nil
}

func run(ctx context.Context, root string, check bool, built string) error {
	bin, err := os.MkdirTemp("", "programs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	catalogue, err := wiring.Ask(ctx, root, bin)
	if err != nil {
		return err
	}
	if built != "" {
		return compare(ctx, root, built, catalogue)
	}
	if !check {
		if err := wiring.WritePromises(filepath.Join(root, "infra", "wiring", "api"), catalogue); err != nil {
			return fmt.Errorf("what programs promise is broken; see infra/wiring/README.md:\n%w", err)
		}
	}
	path := filepath.Join(root, "infra", "docker", "Dockerfile")
	is, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	right, err := wiring.Generate(string(is), catalogue)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case string(is) == right:
		return nil
	case check:
		return fmt.Errorf("%s is not what the programs say: run go generate ./infra/wiring", path)
	}
	return os.WriteFile(path, []byte(right), 0o644)
}

// compare asks the engine for the metadata of the built images.
func compare(ctx context.Context, root, pattern string, catalogue wiring.Catalogue) error {
	found, err := wiring.CheckBuilt(ctx, root, pattern, catalogue)
	if err != nil {
		return err
	}
	for _, f := range found {
		fmt.Fprintln(os.Stderr, f)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d differences", len(found))
	}
	fmt.Println("the images say what the programs say")
	return nil
}
