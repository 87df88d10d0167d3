{{ staging('course_offering') }}
