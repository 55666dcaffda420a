package mutate_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// Make an image from scratch, and of it one that runs another command.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := debugImage(context.Background(), filepath.Join(dir, "images")); err != nil {
		log.Fatal(err)
	}
	// Output:
	// app:debug
	// layers read: 0
}

func debugImage(ctx context.Context, dir string) (err error) {
	l, err := layout.Init(ctx, dir, layout.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if _, err := l.Create(ctx, "app:v1", []content.Platform{{OS: "linux", Architecture: "amd64"}}, layout.Overwrite); err != nil {
		return err
	}
	app, err := l.Lookup(ctx, layout.Reference{Name: "app:v1"})
	if err != nil {
		return err
	}
	b := l.Batch()
	defer func() { err = errors.Join(err, b.Close()) }()
	report, err := mutate.Apply(ctx, b, app, []mutate.Edit{
		{Change: mutate.SetCmd{Args: []string{"/app", "-v"}}},
		{Change: mutate.SetEnv{Name: "DEBUG", Value: "1"}},
		{On: mutate.Selector{All: true}, Change: mutate.SetAnnotation{Key: "stage", Value: "debug"}},
	}, mutate.Options{})
	if err != nil {
		return err
	}
	saved, err := mutate.Save(ctx, l, b, report, mutate.SaveOptions{Name: "app:debug"})
	if err != nil {
		return err
	}
	fmt.Println(layout.FamiliarName(saved.Name))
	fmt.Println("layers read:", saved.LayersRead)
	return nil
}
