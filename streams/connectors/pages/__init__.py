"""Pages that the gateway serves to customers' browsers: the page of a survey link, and the beacon of a FAQ."""
