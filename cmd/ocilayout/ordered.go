package main

import (
	"strconv"

	"github.com/urfave/cli/v2"
)

// An ordered list takes the values of repeatable flags, in the order given also
// across different flags, and with their commas as they are.
type ordered []flagValue

type flagValue struct{ flag, value string }

// flag makes a repeatable flag that stores into the list. It has no short name:
// the parser would set it twice.
func (o *ordered) flag(name, usage string) cli.Flag {
	return &cli.GenericFlag{Name: name, Usage: usage, Value: &repeatable{o, name}}
}

// of returns the values of one flag.
func (o *ordered) of(name string) []string {
	var values []string
	for _, v := range *o {
		if v.flag == name {
			values = append(values, v.value)
		}
	}
	return values
}

// repeatable is a flag.Value that adds to an ordered list.
type repeatable struct {
	to   *ordered
	name string
}

// Set adds value.
func (r *repeatable) Set(value string) error {
	*r.to = append(*r.to, flagValue{r.name, value})
	return nil
}

func (r *repeatable) String() string { return "" }

// toggle makes a repeatable flag without a value that stores into the list.
func (o *ordered) toggle(name, usage string) cli.Flag {
	return &toggleFlag{&cli.GenericFlag{Name: name, Usage: usage, Value: &toggle{repeatable{o, name}}}}
}

// toggleFlag is a GenericFlag that takes no value.
type toggleFlag struct{ *cli.GenericFlag }

// TakesValue is false.
func (*toggleFlag) TakesValue() bool { return false }

// toggle is a flag.Value that adds to an ordered list without a value of its own.
type toggle struct{ repeatable }

// IsBoolFlag tells package flag that no value follows.
func (*toggle) IsBoolFlag() bool { return true }

// Set adds the flag, unless it is given as false.
func (t *toggle) Set(value string) error {
	on, err := strconv.ParseBool(value)
	if err != nil || !on {
		return err
	}
	return t.repeatable.Set("")
}
