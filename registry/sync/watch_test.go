package sync_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/registry/sync"
)

// TestWatch: at once what is missing is copied; what moved, when it is due. A failure of
// one entry does not end it.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(1), "app")
	config := `
defaults: {interval: 1s}
sync:
- {source: '$REG/app', target: 'ocidir://$DIR/m', type: repository}
- {source: '$REG/none:v1', target: 'ocidir://$DIR/m:x', type: image}`
	w.try(config, sync.Options{}) // so that the name is there
	newer := build.NewLayout()
	newer.Tag("v0", newer.Image(build.Image{}))
	w.push(newer, "app")

	c, err := sync.ParseConfig("sync.yaml", []byte(w.expand(config)), sync.System())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var actions []sync.Action
	err = sync.Watch(ctx, c, c.Session(w.options()), sync.Options{}, func(r sync.Report) error {
		if r.Totals.Failed != 1 {
			t.Errorf("%+v", r)
		}
		actions = append(actions, r.Images[0].Action)
		if len(actions) == 3 {
			stop()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || len(actions) != 3 || actions[0] != sync.ActionSkip || actions[1] != sync.ActionCopy || actions[2] != sync.ActionKeep {
		t.Errorf("%v, %v", actions, err)
	}
	err = sync.Watch(t.Context(), c, c.Session(w.options()), sync.Options{AbortOnError: true}, func(sync.Report) error { return nil })
	if err != nil {
		t.Errorf("after a failure: %v", err)
	}

	c, err = sync.ParseConfig("sync.yaml", []byte(w.expand("sync: [{source: '$REG/app', target: 'ocidir://$DIR/m', type: repository}]")), sync.System())
	if err != nil {
		t.Fatal(err)
	}
	if err = sync.Watch(t.Context(), c, c.Session(w.options()), sync.Options{}, nil); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("nothing to watch: %v", err)
	}
}
