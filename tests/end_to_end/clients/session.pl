# A session by HTTP::Tiny, which comes with Perl. Prints a line for each step: its name, the status, and the error.
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;

my ($gateway, $sidecar, $bodies) = @ARGV;
my $api = "$gateway/api/v1/analysis";
my $http = HTTP::Tiny->new(timeout => 20);
my $session = "";

sub body {
    my ($name) = @_;
    open my $file, "<:raw", "$bodies/$name.json" or die "$name: $!";
    local $/;
    return <$file>;
}

sub step {
    my ($name, $method, $url, $body) = @_;
    my $options = defined $body ? { content => $body, headers => { "Content-Type" => "application/json" } } : {};
    my $answer = $http->request($method, $url, $options);
    # Its own failures have the status 599 and their text as content.
    my $document = $answer->{status} == 599 ? {} : decode_json($answer->{content});
    $session = $document->{sessionId} if $name eq "start";
    print "$name $answer->{status} " . ($document->{error} // "") . "\n";
}

step("start", "POST", "$api/start");
(my $stream = body("stream")) =~ s/SESSION/$session/;
step("stream", "PUT", "$api/stream", $stream);
step("motifs", "GET", "$api/motifs?sessionId=$session");
step("process", "POST", "$api/process", body("process"));
step("infer", "POST", "$sidecar/infer", body("infer"));
step("bad", "POST", "$api/process", body("bad"));
step("huge", "POST", "$api/process", body("huge"));
step("stop", "POST", "$api/stop", encode_json({ sessionId => $session }));
