package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// ConfigTime changes the times in the config: created, and that of each history entry
// after those of the base. A time that is not there is not made up. Layers, diffIDs,
// labels and annotations stay, org.opencontainers.image.created among them; data
// embedded for the old config and manifest goes.
type ConfigTime struct{ Spec TimeSpec }

// Image implements Change.
func (c ConfigTime) Image(ctx context.Context, im *Image) error {
	if im.Config == nil {
		return nil
	}
	rule, err := c.Spec.rule(ctx, im)
	if err != nil {
		return err
	}
	if err := rule.created(im.Config); err != nil {
		return content.At("config", err)
	}
	for i, h := range im.History {
		if i < rule.history {
			continue
		}
		if err := rule.created(h.Raw); err != nil {
			return content.At("history", err)
		}
	}
	return nil
}

// created changes the time under that key, if there is one.
func (r timeRule) created(o *rawjson.Object) error {
	old := o.GetString("created")
	if old == "" {
		return nil
	}
	t, err := ParseTime(old, FlagEnv{})
	if err != nil {
		return content.Errorf(content.ErrCorrupt, "created: %q is no time", old)
	}
	if is := r.at(t); !is.Equal(t) {
		o.SetString("created", stamp(is))
	}
	return nil
}

// LayerTime changes the times of the members of all layers above the base:
// modification, and where a header has them access and change. A layer none of whose
// times differ stays. DiffIDs follow, config and history keep their times; urls, data
// and annotations that describe a layer's old bytes go from its descriptor.
type LayerTime struct{ Spec TimeSpec }

// Image implements Change.
func (c LayerTime) Image(ctx context.Context, im *Image) error {
	rule, err := c.Spec.rule(ctx, im)
	if err != nil {
		return err
	}
	for _, l := range im.Layers[rule.layers:] {
		if l.IsTar() {
			l.Do(retime(rule))
		}
	}
	return nil
}

// retime is a timeRule as a Step, and its own Filter.
type retime timeRule

func (r retime) Key() string   { return "time " + timeRule(r).key() }
func (r retime) Start() Filter { return r }

func (r retime) Member(m *Member) error {
	m.SetTimes(timeRule(r).at)
	return nil
}

// Time is ConfigTime and LayerTime in one.
type Time struct{ Spec TimeSpec }

// Image implements Change.
func (c Time) Image(ctx context.Context, im *Image) error {
	if err := (ConfigTime(c)).Image(ctx, im); err != nil {
		return err
	}
	return LayerTime(c).Image(ctx, im)
}

const specUsage = "as `SPEC` says: set=T, max=T or from-label=L, with after=T, base=REF or base-layers=N"

func timeFlag(name, what string, change func(TimeSpec) Change) Flag {
	return Flag{Name: name, Usage: "change the times of " + what + " " + specUsage,
		Parse: selected(func(value string, env FlagEnv) (Change, error) {
			spec, err := ParseTimeSpec(value, env)
			return change(spec), err
		})}
}

func timeFlags() []Flag {
	return []Flag{
		timeFlag("time", "config, history and layers", func(s TimeSpec) Change { return Time{s} }),
		timeFlag("config-time", "config and history", func(s TimeSpec) Change { return ConfigTime{s} }),
		timeFlag("layer-time", "the files in layers", func(s TimeSpec) Change { return LayerTime{s} }),
	}
}
