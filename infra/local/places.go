package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flotilla-dev/flotilla/infra/pki"
)

// places finds the root of the tree and the directory of the fleet's state.
func places(root, dir string) (absoluteRoot, absoluteDir string, err error) {
	if root == "" {
		if root, err = above("go.work"); err != nil {
			return "", "", err
		}
	}
	if root, err = filepath.Abs(root); err != nil {
		return "", "", err
	}
	if dir == "" {
		dir = filepath.Join(root, ".flotilla")
	}
	dir, err = filepath.Abs(dir)
	return root, dir, err
}

// above finds the nearest directory, from this one upwards, that has a file.
func above(name string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no %s in %s or above it: run this in the tree, or name it with --root", name, start)
		}
	}
}

// prepare makes what the processes find when they start: certificates, secrets
// and the directories that they share.
func prepare(dir string) func(context.Context) error {
	return func(ctx context.Context) error {
		plan, err := pki.DefaultPlan()
		if err != nil {
			return err
		}
		plan.Secrets = secrets()
		if _, err := pki.EnsureDir(ctx, filepath.Join(dir, "pki"), plan); err != nil {
			return fmt.Errorf("certificates and secrets: %w", err)
		}
		for _, name := range shared() {
			if err := os.MkdirAll(filepath.Join(dir, "shared", name), 0o700); err != nil {
				return err
			}
		}
		return nil
	}
}
