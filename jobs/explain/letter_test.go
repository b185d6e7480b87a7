package explain

import "testing"

func TestALetterIsReadOutInSentences(t *testing.T) {
	message := "Your refund request was not approved\n\nCredits of this purchase were used already: 40 of 1000.\n"
	got := letter(message)
	if want := "Your refund request was not approved. Credits of this purchase were used already: 40 of 1000."; got.Text != want || got.Value != message {
		t.Errorf("%q, %q", got.Text, got.Value)
	}
	if got := letter(""); got.Text != "" {
		t.Errorf("no message reads %q", got.Text)
	}
}
