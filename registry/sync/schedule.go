package sync

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/ocilayout/ocilayout/content"
)

// A schedule says when an entry is done again.
type schedule interface {
	// Next is the first time after t; the zero time is never.
	Next(t time.Time) time.Time
}

// parseSchedule reads a schedule of cron: five fields, a word such as @daily, or @every
// with a time, and CRON_TZ=ZONE in front if it is not for the local time.
func parseSchedule(text string) (schedule, error) {
	if strings.Contains(text, "TZ=") && !strings.Contains(text, " ") {
		return nil, content.Errorf(content.ErrInvalid, "%q has a time zone and nothing behind it", text)
	}
	s, err := cron.ParseStandard(text)
	if err != nil {
		return nil, content.Errorf(content.ErrInvalid, "%q is no schedule: %v", text, err)
	}
	if s.Next(time.Now()).IsZero() {
		return nil, content.Errorf(content.ErrInvalid, "%q is never", text)
	}
	return s, nil
}

// every is the schedule of an interval, to the second.
func every(interval time.Duration) schedule { return cron.Every(interval) }
