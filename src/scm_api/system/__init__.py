"""What every API needs beside its business: jobs, the event feed, problems, health."""
